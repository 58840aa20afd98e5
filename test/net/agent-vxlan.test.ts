import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allPairs, pingPairs } from '../../src/cli/demo/pings.ts';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf, readLeases } from './agent-store.ts';
import { eventually, expectPodsTalk, TIMEOUT_MS } from './agent-support.ts';
import { createLab } from './lab.ts';
import { mayCapture } from './witness.ts';

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
  'pod packets cross the underlay as VXLAN between the devices, and nothing else does',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const pods = await lab.addPods();
    const [from, to] = [leaseOf(lab, lab.node(1)), leaseOf(lab, lab.node(2))];
    const rules = FAMILIES.map(
      (family) => `${packetMatch(family, partOf(from, family), partOf(to, family))} counter`,
    );
    const all = 'udp dport 8472 counter';
    const chain = ['type filter hook input priority 0;', ...rules, all].join('\n');
    const file = join(lab.directory, 'witness.nft');
    writeFileSync(file, `table inet witness {\nchain input {\n${chain}\n}\n}\n`);
    lab.node(2).run('nft', '-f', file);
    await expectPodsTalk(pods);
    const listed = lab.node(2).run('nft', 'list', 'table', 'inet', 'witness');
    const counts = [...listed.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
    const [v4 = 0, v6 = 0, sum = 0] = counts;
    expect({ counts: counts.length, v4: v4 > 0, v6: v6 > 0 }).toEqual({ counts: 3, v4: true, v6: true });
    // No peer is asked for its address: all is pods' packets.
    expect(v4 + v6).toBe(sum);
  },
  TIMEOUT_MS,
);

if (mayCapture) {
  test(
    'tcpdump sees VXLAN',
    async () => {
      await using lab = await createLab({ nodes: 2 });
      await lab.startAll();
      const pods = await lab.addPods();
      const [one, two] = [leaseOf(lab, lab.node(1)), leaseOf(lab, lab.node(2))];
      // Packets that tcpdump has not read yet when it is ended are lost to it.
      await eventually(async () => {
        // Its own guess for port 8472 is another protocol.
        await using capture = await lab.captureUnderlay(['-T', 'vxlan', 'udp', 'port', '8472']);
        await pingPairs(allPairs(pods));
        await Bun.sleep(100);
        const captured = (await capture.stop()).join('\n');
        for (const family of FAMILIES) {
          const [here, there] = [partOf(one, family), partOf(two, family)];
          expect(captured).toMatch(packetText(family, here, there));
          expect(captured).toMatch(packetText(family, there, here));
        }
      });
    },
    TIMEOUT_MS,
  );
}

interface End {
  readonly publicIp: string;
  readonly mac: string;
  readonly base: string;
}

/** RFC 7348: behind the UDP header flags, the VNI, and the frame with its two addresses and its type. */
function packetMatch(family: Family, from: End, to: End): string {
  const ip = family === 4 ? 'ip' : 'ip6';
  const hex = (mac: string) => `0x${mac.replaceAll(':', '')}`;
  const frame = `@th,128,48 ${hex(to.mac)} @th,176,48 ${hex(from.mac)} @th,224,16 ${family === 4 ? '0x0800' : '0x86dd'}`;
  const ends = `${ip} saddr ${from.publicIp} ${ip} daddr ${to.publicIp} udp dport 8472`;
  return `${ends} @th,64,32 0x08000000 @th,96,32 0x00000100 ${frame}`;
}

/** A line for the outer packet, and the next for the frame inside. */
function packetText(family: Family, from: End, to: End): RegExp {
  const outer = `${from.publicIp}\\.\\d+ > ${to.publicIp}\\.8472: VXLAN, flags \\[I\\] \\(0x08\\), vni 1\\n`;
  const [podFrom, podTo] =
    family === 4
      ? [from.base.replace(/0$/, '2'), to.base.replace(/0$/, '2')]
      : [`${from.base}2`, `${to.base}2`];
  const inner = `${from.mac} > ${to.mac}, ethertype IPv${family} .*: ${podFrom} > ${podTo}: ICMP`;
  return new RegExp(outer + inner);
}
