import { expect, test } from 'bun:test';
import { allPairs, pingPairs } from '../../src/cli/demo/pings.ts';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf, readLeases } from './agent-store.ts';
import { eventually, TIMEOUT_MS } from './agent-support.ts';
import { createLab } from './lab.ts';

test.each([
  { what: 'both families', families: FAMILIES, mtu: 1430 },
  { what: 'IPv4', families: [4] as const, mtu: 1450 },
  { what: 'IPv6', families: [6] as const, mtu: 1430 },
])(
  'vxlan with $what makes what flanneld makes, and pods talk',
  async ({ families, mtu }) => {
    await using lab = await createLab({ nodes: 3, families });
    await lab.startAll();
    for (const node of lab.nodes) {
      expect(readOverlay(node)).toEqual(vxlanOverlay(lab, node));
      expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), mtu));
    }
    const pings = await pingPairs(allPairs(await lab.addPods()));
    expect(pings.length).toBe(6 * families.length);
    expect(pings.filter(({ roundTripMs }) => roundTripMs === undefined)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  'leases have the JSON form of flannel, in its order and without spaces',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    for (const lease of readLeases(lab)) {
      const [v4, v6] = [partOf(lease, 4), partOf(lease, 6)];
      const number = lease.node.replace('node-', '');
      expect(lease.attributes).toBe(
        `{"PublicIP":"192.168.77.${number}","PublicIPv6":"fd77::${number}","BackendType":"vxlan",` +
          `"BackendData":{"VNI":1,"VtepMAC":"${v4.mac}"},"BackendV6Data":{"VNI":1,"VtepMAC":"${v6.mac}"}}`,
      );
    }
  },
  TIMEOUT_MS,
);

test(
  'pod packets cross the underlay in VXLAN with the peer device as destination',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const pods = await lab.addPods();
    const [one, two] = [leaseOf(lab, lab.node(1)), leaseOf(lab, lab.node(2))];
    // Packets that tcpdump has not read yet when it is ended are lost to it.
    const lines = await eventually(async () => {
      // Its own guess for port 8472 is another protocol.
      await using capture = await lab.captureUnderlay(['-T', 'vxlan', 'udp', 'port', '8472']);
      await pingPairs(allPairs(pods));
      await Bun.sleep(100);
      const captured = await capture.stop();
      for (const family of FAMILIES) {
        const [here, there] = [partOf(one, family), partOf(two, family)];
        expect(captured.join('\n')).toMatch(packet(family, here, there));
        expect(captured.join('\n')).toMatch(packet(family, there, here));
      }
      return captured;
    });
    expect(lines.filter((line) => line.includes('VXLAN') && !line.includes('vni 1'))).toEqual([]);
    // Inside there is nothing but pods' packets: no peer is asked for its address.
    expect(lines.filter((line) => / ARP|neighbor solicitation/.test(line))).toEqual([]);
  },
  TIMEOUT_MS,
);

interface End {
  readonly publicIp: string;
  readonly mac: string;
  readonly base: string;
}

/** A line for the outer packet, and the next for the frame inside. */
function packet(family: Family, from: End, to: End): RegExp {
  const outer = `${from.publicIp}\\.\\d+ > ${to.publicIp}\\.8472: VXLAN, flags \\[I\\] \\(0x08\\), vni 1\\n`;
  const [podFrom, podTo] =
    family === 4
      ? [from.base.replace(/0$/, '2'), to.base.replace(/0$/, '2')]
      : [`${from.base}2`, `${to.base}2`];
  const inner = `${from.mac} > ${to.mac}, ethertype IPv${family} .*: ${podFrom} > ${podTo}: ICMP`;
  return new RegExp(outer + inner);
}
