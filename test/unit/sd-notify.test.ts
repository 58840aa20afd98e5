import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressOf, checked, libc } from '../../ffi/libc.ts';
import { sendDatagram, unixAddress } from '../../ffi/notify.ts';
import { createNotifier, type Notifier } from '../../src/sd-notify.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** What systemd does: a datagram socket that is bound to a name. */
function withManager(name: string, use: (receive: () => string | undefined) => void): void {
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM, 0));
  const address = unixAddress(name) ?? new Uint8Array();
  expect(checked(libc.bind(fd, addressOf(address), address.length))).toBe(0);
  const buffer = new Uint8Array(4_096);
  use(() => {
    const length = checked(libc.recv(fd, addressOf(buffer), buffer.length, MSG_DONTWAIT));
    return length < 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, length));
  });
  libc.close(fd);
}

function notifierOf(env: Record<string, string>): Notifier {
  return createNotifier({ env, pid: process.pid, send: sendDatagram });
}

function withDirectory(use: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'notify-'));
  use(directory);
  rmSync(directory, { recursive: true });
}

test('createNotifier() tells a manager on a path that the agent is ready, how it is, and that it stops', () => {
  withDirectory((directory) => {
    const path = join(directory, 'notify');
    withManager(path, (receive) => {
      const notifier = notifierOf({ NOTIFY_SOCKET: path });
      expect(notifier.ready('3 peers, all programmed')).toBe(true);
      expect(receive()).toBe('READY=1\nSTATUS=3 peers, all programmed');
      expect(notifier.status("Interface 'eth0\nREADY=1' is gone")).toBe(true);
      expect(receive()).toBe("STATUS=Interface 'eth0\\u000aREADY=1' is gone");
      expect(notifier.stopping()).toBe(true);
      expect(receive()).toBe('STOPPING=1');
      expect(receive()).toBeUndefined();
    });
  });
});

test('createNotifier() speaks to an abstract socket, and does not repeat itself', () => {
  const name = `@flannelette-test-${process.pid}`;
  withManager(name, (receive) => {
    const notifier = notifierOf({ NOTIFY_SOCKET: name });
    notifier.ready('All is well');
    notifier.status('All is well');
    notifier.status('2 peers wait');
    expect([receive(), receive(), receive()]).toEqual([
      'READY=1\nSTATUS=All is well',
      'STATUS=2 peers wait',
      undefined,
    ]);
  });
});

test('createNotifier() does nothing without a manager', () => {
  for (const env of [{}, { NOTIFY_SOCKET: '' }, { NOTIFY_SOCKET: 'vsock:2:1234' }]) {
    const send = () => {
      throw new Error('Nothing is to be sent');
    };
    const notifier = createNotifier({ env: { ...env, WATCHDOG_USEC: '1000000' }, pid: 1, send });
    expect([notifier.listened, notifier.watchdogMs]).toEqual([false, undefined]);
    const calls = [notifier.ready('x'), notifier.status('y'), notifier.alive(), notifier.stopping()];
    expect(calls).toEqual([true, true, true, true]);
  }
});

test('createNotifier() says so when the manager is gone, and tells the same again later', () => {
  withDirectory((directory) => {
    const path = join(directory, 'notify');
    const notifier = notifierOf({ NOTIFY_SOCKET: path });
    expect(notifier.status('All is well')).toBe(false);
    withManager(path, (receive) => {
      expect(notifier.status('All is well')).toBe(true);
      expect(receive()).toBe('STATUS=All is well');
    });
    expect(existsSync(path)).toBe(true);
    expect(notifier.stopping()).toBe(false);
  });
});

test('sendDatagram() refuses names that no socket can have', () => {
  expect(sendDatagram('', 'x')).toBe(-22);
  expect(sendDatagram(`/${'x'.repeat(107)}`, 'x')).toBe(-22);
  expect(sendDatagram('/a\0b', 'x')).toBe(-22);
  expect(sendDatagram('/nonexistent/notify', 'x')).toBe(-2);
  expect(unixAddress(`@${'x'.repeat(107)}`)).toHaveLength(110);
  expect(unixAddress('/run/x')).toEqual(new Uint8Array([1, 0, 47, 114, 117, 110, 47, 120, 0]));
});

test('sendDatagram() leaks no descriptor and does not wait for a full queue for long', () => {
  const name = `@flannelette-full-${process.pid}`;
  withManager(name, () => {
    let result = 0;
    for (let sent = 0; sent < 100_000 && result === 0; sent++) result = sendDatagram(name, 'STATUS=x');
    expect(result).toBe(-11);
  });
  const before = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  libc.close(before);
  for (let i = 0; i < 100; i++) sendDatagram('/nonexistent/notify', 'x');
  const after = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  libc.close(after);
  expect(after).toBe(before);
});

test.each([
  [{ WATCHDOG_USEC: '30000000' }, 30_000],
  [{ WATCHDOG_USEC: '1' }, 0.001],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined],
  [{ WATCHDOG_USEC: '0' }, undefined],
  [{ WATCHDOG_USEC: '-1' }, undefined],
  [{ WATCHDOG_USEC: '1e9' }, undefined],
  [{ WATCHDOG_USEC: '' }, undefined],
  [{}, undefined],
])('createNotifier() with %j bears silence for %p ms', (env, watchdogMs) => {
  const notifier = createNotifier({ env: { NOTIFY_SOCKET: '/x', ...env }, pid: 7, send: () => 0 });
  expect(notifier.watchdogMs).toBe(watchdogMs);
});

test('createNotifier() asks for time until it is ready, and only then feeds the watchdog alone', () => {
  const sent: string[] = [];
  const send = (_: string, text: string) => {
    sent.push(text);
    return 0;
  };
  const env = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '120000000' };
  const notifier = createNotifier({ env, pid: 1, send });
  notifier.alive();
  notifier.ready('All is well');
  notifier.alive();
  expect(sent).toEqual([
    'WATCHDOG=1\nEXTEND_TIMEOUT_USEC=120000000',
    'READY=1\nSTATUS=All is well',
    'WATCHDOG=1',
  ]);
});
