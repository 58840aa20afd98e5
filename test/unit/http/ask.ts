/**
 * Asking servers, and waiting for what they do.
 *
 * @module
 */

/** Asks a server on loopback. */
export async function askTcp(port: number, route: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${route}`, { proxy: '' });
  return { status: response.status, body: await response.text() };
}

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('') });
  const port = server.port ?? 0;
  await server.stop(true);
  return port;
}

/** Waits for a condition, up to 10 s. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('The condition did not come true within 10 s');
    await Bun.sleep(5);
  }
}
