import { expect, test } from 'bun:test';
import { mayHaveNfTables } from '../../../src/kernel/nf-tables-module.ts';

const VETH = 'veth 36864 0 - Live 0x0000000000000000\n';

test.each([
  ['it is loaded', `${VETH}nf_tables 300000 5 nft_masq, Live 0x0\n`, undefined, true],
  [
    'another that begins so is loaded',
    'nf_tables_set 8192 0 - Live 0x0\n',
    'kernel/net/ipv4/ip_gre.ko\n',
    false,
  ],
  ['it is a part of the kernel', VETH, 'kernel/net/netfilter/nf_tables.ko\n', true],
  ['it is neither', VETH, 'kernel/net/ipv4/tunnel4.ko\n', false],
  ['nothing says what is a part of the kernel', VETH, undefined, true],
  ['the kernel has no modules', undefined, undefined, true],
])('mayHaveNfTables() where %s', (_, modules, builtIn, expected) => {
  const read = (path: string) => (path === '/proc/modules' ? modules : builtIn);
  expect(mayHaveNfTables(read)).toBe(expected);
});
