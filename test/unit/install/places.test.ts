import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPlaces } from '../../../src/install/look.ts';

const NOTHING = { confDir: undefined, binDir: undefined };
const USUAL = { confDir: '/etc/cni/net.d', binDir: '/opt/cni/bin' };
const DEBIAN =
  '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/usr/lib/cni"\nconf_dir = "/etc/cni/net.d"\n';

test('findPlaces() goes by the flags, then by the first configuration that is there, then by what is usual', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-places-'));
  const [k3s, containerd] = [join(directory, 'k3s.toml'), join(directory, 'containerd.toml')];
  const configs = [k3s, containerd];
  try {
    expect(findPlaces(NOTHING, configs)).toEqual(USUAL);
    writeFileSync(containerd, DEBIAN);
    expect(findPlaces(NOTHING, configs)).toEqual({ ...USUAL, binDir: '/usr/lib/cni' });
    expect(findPlaces({ ...NOTHING, binDir: '/b/' }, configs)).toEqual({ ...USUAL, binDir: '/b' });
    expect(findPlaces({ confDir: '/c', binDir: '/b' }, configs)).toEqual({ confDir: '/c', binDir: '/b' });
    // K3s without its flannel names no directories: containerd then looks where it is usual, not where another does.
    writeFileSync(k3s, "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\n  enable_selinux = false\n");
    expect(findPlaces(NOTHING, configs)).toEqual(USUAL);
    writeFileSync(
      k3s,
      "[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/k/bin']\nconf_dir = '/k/net.d'\n",
    );
    expect(findPlaces(NOTHING, configs)).toEqual({ confDir: '/k/net.d', binDir: '/k/bin' });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
