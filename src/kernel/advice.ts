/**
 * What an operator of this very node can do about a refusal: which package, which capability, which device.
 *
 * @module
 */
import { familyOf } from '../model/ip.ts';
import type { KernelObject, VxlanDevice } from '../model/objects.ts';
import type { Failure } from '../reconcile/target.ts';
import type { NodeFacts } from './node-facts.ts';

/** A VXLAN device of this network namespace. */
export interface VxlanSeen {
  readonly name: string;
  readonly device: VxlanDevice;
}

/** What the advice is found from; both are read only where there is a refusal. */
export interface AdviceSources {
  readonly facts: () => NodeFacts;
  readonly devices: () => readonly VxlanSeen[];
}

/** Finds the remedy. The node's facts are read once for all refusals of a batch: one cause makes thousands. */
export class Adviser {
  readonly #sources: AdviceSources;
  #facts: NodeFacts | undefined;

  constructor(sources: AdviceSources) {
    this.#sources = sources;
  }

  /** A new batch: what was mended since is seen. */
  forget(): void {
    this.#facts = undefined;
  }

  /** The failure with the remedy that fits, where one is known that is better than that of its kind. */
  advise(failure: Failure, object: KernelObject): Failure {
    switch (failure.kind) {
      case 'denied':
        return this.#known().hasNetAdmin ? { ...failure, remedy: ADVICE.namespace } : failure;
      case 'unsupported':
        if (object.kind === 'link') return { ...failure, remedy: moduleRemedy(this.#known()) };
        return isIpv6(object) ? { ...failure, remedy: ADVICE.ipv6 } : failure;
      case 'conflict':
        return conflictAdvice(failure, object, this.#sources.devices());
      default:
        return failure;
    }
  }

  #known(): NodeFacts {
    this.#facts ??= this.#sources.facts();
    return this.#facts;
  }
}

/** Remedies beyond those of the catalogue; `docs/operations.md` lists the same. NAME, PORT and RELEASE are filled in. */
export const ADVICE = {
  namespace:
    'The process has CAP_NET_ADMIN, but not over this network namespace: run it as root of the machine, not of a user namespace',
  ipv6: 'IPv6 is off here: switch it on (ipv6.disable on the kernel command line, net.ipv6.conf.*.disable_ipv6), or set EnableIPv6 to false',
  device: 'Remove the device (ip link delete NAME), or change Backend.VNI or Backend.Port',
  elsewhere:
    'No device of this network namespace has them, so one that was moved to another does: remove that, or change Backend.VNI or Backend.Port',
  table:
    'Remove the table (nft delete table NAME), have its program call it by another name, or do without --ip-masq',
  rules:
    'Load nft_chain_nat and nft_masq (modprobe says why they do not load) or install the package that brings them, or do without --ip-masq',
  port: 'Find who holds UDP port PORT (ss -lunp sport = :PORT) and stop it, or change Backend.Port',
  accept: 'Accept it there: COMMAND (or start the agent with --fix-forward, which does and keeps it there)',
  owned:
    'Have the program that owns the table accept it (firewalld: firewall-cmd --permanent --zone=trusted --add-source=NETWORK, then --reload): no other may change it',
  setting:
    'Set it on the node (sysctl -w NAME=VALUE, and a file in /etc/sysctl.d), or let the agent write below /proc/sys (a container: privileged)',
  locked:
    'Modules are locked (sysctl kernel.modules_disabled): put vxlan into /etc/modules-load.d/vxlan.conf and reboot',
  reboot:
    'The modules of the running kernel RELEASE are not on the disk: reboot into the installed kernel (in a container: look on the node)',
  raspi: 'apt install linux-modules-extra-raspi; the kernel then loads the module by itself',
  ubuntu: 'apt install linux-modules-extra-RELEASE; the kernel then loads the module by itself',
  fedora: 'dnf install kernel-modules-RELEASE; the kernel then loads the module by itself',
  suse: 'zypper install kernel-default, whose modules kernel-default-base lacks, and reboot',
  alpine: 'apk add linux-lts (or linux-rpi), which has the module vxlan, and reboot',
  openwrt: 'Install kmod-vxlan (opkg or apk); the kernel then loads the module by itself',
  arch: 'Install the whole kernel package again (pacman -S linux, or linux-rpi) and reboot',
  debian:
    'The kernel package has the module (modprobe vxlan says why it does not load); a kernel of your own needs CONFIG_VXLAN',
  kernel:
    'Install a kernel with CONFIG_VXLAN, as a module or built in (modprobe vxlan says why one does not load)',
} as const;

/**
 * By which package the module comes. That it is loaded is the kernel's own doing: asked for a device of the kind, it
 * asks for the module `rtnl-link-vxlan`, and only if there is none does it refuse.
 */
function moduleRemedy({ family, version, kernelRelease, hasModules, modulesLocked }: NodeFacts): string {
  const named = (advice: string) => advice.replaceAll('RELEASE', kernelRelease);
  if (modulesLocked) return ADVICE.locked;
  const is = (...names: readonly string[]) => names.some((name) => family.includes(name));
  if (!hasModules && !is('openwrt')) return named(ADVICE.reboot);
  if (is('ubuntu')) return isUbuntuWithExtras(kernelRelease, version) ? ADVICE.raspi : named(ADVICE.ubuntu);
  if (is('fedora', 'rhel', 'centos')) return named(ADVICE.fedora);
  if (is('suse', 'opensuse')) return ADVICE.suse;
  if (is('alpine')) return ADVICE.alpine;
  if (is('openwrt')) return ADVICE.openwrt;
  if (is('arch', 'archarm')) return ADVICE.arch;
  return is('debian', 'raspbian') ? ADVICE.debian : ADVICE.kernel;
}

/** Ubuntu 21.10 to 23.10 for the Raspberry Pi kept vxlan in a package of its own; 24.04 has it in the kernel's. */
function isUbuntuWithExtras(kernelRelease: string, version: string): boolean {
  const [year = 0, month = 0] = version.split('.').map(Number);
  const number = year * 100 + month;
  return kernelRelease.endsWith('-raspi') && number >= 2110 && number <= 2310;
}

/** One VNI and port of a family can have one device (`vxlan_config_validate`), and one port one user. */
function conflictAdvice(failure: Failure, object: KernelObject, devices: readonly VxlanSeen[]): Failure {
  if (object.kind === 'up') {
    const port = devices.find(({ name }) => name === object.link)?.device.port;
    return port === undefined
      ? failure
      : { ...failure, remedy: ADVICE.port.replaceAll('PORT', String(port)) };
  }
  if (object.kind !== 'link' || object.device.type !== 'vxlan') return failure;
  const { vni, port, local } = object.device;
  const holder = devices.find(
    ({ name, device }) =>
      name !== object.name &&
      device.vni === vni &&
      device.port === port &&
      isIpv6Text(device.local) === isIpv6Text(local),
  );
  if (holder === undefined) return { ...failure, remedy: ADVICE.elsewhere };
  const message = `${failure.message} (${holder.name} has VNI ${vni} and port ${port})`;
  return { ...failure, message, remedy: ADVICE.device.replace('NAME', holder.name) };
}

function isIpv6(object: KernelObject): boolean {
  if (object.kind === 'address') return familyOf(object.ip) === 6;
  return object.kind === 'route' && object.dst.includes(':');
}

function isIpv6Text(text: string | undefined): boolean {
  return text?.includes(':') === true;
}
