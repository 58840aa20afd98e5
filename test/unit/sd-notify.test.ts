import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressOf, checked, libc } from '../../ffi/libc.ts';
import { sendDatagram, unixAddress } from '../../ffi/notify.ts';
import { createNotifier } from '../../src/sd-notify.ts';

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

function withDirectory(use: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'notify-'));
  use(directory);
  rmSync(directory, { recursive: true });
}

test('createNotifier() tells a manager on a path that the agent is ready, how it is, and that it stops', () => {
  withDirectory((directory) => {
    const path = join(directory, 'notify');
    withManager(path, (receive) => {
      const notifier = createNotifier({ NOTIFY_SOCKET: path }, sendDatagram);
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
    const notifier = createNotifier({ NOTIFY_SOCKET: name }, sendDatagram);
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
    const notifier = createNotifier(env, () => {
      throw new Error('Nothing is to be sent');
    });
    expect([notifier.ready('x'), notifier.status('y'), notifier.stopping()]).toEqual([true, true, true]);
  }
});

test('createNotifier() says so when the manager is gone, and tells the same again later', () => {
  withDirectory((directory) => {
    const path = join(directory, 'notify');
    const notifier = createNotifier({ NOTIFY_SOCKET: path }, sendDatagram);
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
