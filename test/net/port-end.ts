/**
 * The two ends of a port, as a process in a namespace: a server that tells each client which address it sees, and a client
 * that asks a list of servers.
 *
 * Usage: port-end.ts serve PORT..., which serves TCP and UDP over both families and says `ready`; or
 * port-end.ts ask WAIT_MS 'tcp ADDRESS PORT'..., which prints a JSON list of what was answered, null for nothing.
 *
 * @module
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const [mode = '', ...args] = process.argv.slice(2);
if (mode === 'serve') await serve(args.map(Number));
else {
  const [wait = '0', ...questions] = args;
  const answers = await Promise.all(questions.map((question) => ask(question, Number(wait))));
  console.log(JSON.stringify(answers));
  process.exit(0);
}

/** The address without the prefix that a dual-stack socket gives IPv4 addresses. */
function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '');
}

async function serve(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(plain(socket.remoteAddress));
    });
    await new Promise<void>((done) => tcp.listen(port, '::', done));
    for (const type of ['udp4', 'udp6'] as const) {
      const udp = createSocket({ type, ipv6Only: true });
      udp.on('message', (_, from) => udp.send(plain(from.address), from.port, from.address));
      await new Promise<void>((done) => udp.bind(port, done));
    }
  }
  console.log('ready');
}

function ask(question: string, waitMs: number): Promise<string | null> {
  const [protocol, address = '', port = ''] = question.split(' ');
  return new Promise((done) => {
    setTimeout(() => done(null), waitMs);
    if (protocol === 'tcp') {
      const socket = connect(Number(port), address);
      socket.on('error', () => done(null));
      socket.on('data', (bytes) => done(bytes.toString()));
      return;
    }
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => done(null));
    socket.on('message', (bytes) => done(bytes.toString()));
    // Connected, so that a port that nobody has is told of at once.
    socket.connect(Number(port), address, (error?: Error) => {
      if (error === undefined) socket.send('?');
      else done(null);
    });
  });
}
