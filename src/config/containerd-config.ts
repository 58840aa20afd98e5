/**
 * Where containerd looks for CNI plugins and their configuration, out of its config.toml. Only what is needed of TOML:
 * tables named in brackets, and keys with a text or a list of texts in one line, as containerd and K3s write them.
 *
 * @module
 */

/** Directories, absolute; `undefined` where the file does not name them. */
export interface CniPlaces {
  readonly confDir: string | undefined;
  readonly binDir: string | undefined;
}

/** `[plugins."io.containerd.grpc.v1.cri".cni]`, `[plugins.'io.containerd.cri.v1.runtime'.cni]`, `[plugins.cri.cni]`. */
const CNI_TABLE = /^\[\s*plugins\s*\..*\bcri\b.*\.\s*cni\s*\]/;
const ENTRY = /^(conf_dir|bin_dir|bin_dirs)\s*=\s*\[?\s*(?:"([^"\\]*)"|'([^']*)')/;

/** Reads the text. What is not understood is as if it were not there. */
export function readCniPlaces(toml: string): CniPlaces {
  const found = new Map<string, string>();
  let isInside = false;
  for (const line of toml.split('\n').map((each) => each.trim())) {
    if (line.startsWith('[')) isInside = CNI_TABLE.test(line);
    const [, key, basic, literal] = isInside ? (ENTRY.exec(line) ?? []) : [];
    const path = basic ?? literal ?? '';
    // What is relative belongs to a working directory that is not known here.
    if (key !== undefined && path.startsWith('/') && !path.includes('\0')) found.set(key, path);
  }
  // Of several directories the first is searched first.
  return { confDir: found.get('conf_dir'), binDir: found.get('bin_dirs') ?? found.get('bin_dir') };
}
