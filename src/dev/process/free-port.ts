import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Finds a free port on 127.0.0.1: `preferred` if that is free. Chooses below the range that systems use for outgoing connections (32768 and up),
 * so that no such connection occupies the port while a killed server is started again.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isPortFree(preferred))) return preferred;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(20_000, 30_000);
    if (await isPortFree(port)) return port;
  }
  throw new Error('no free port on 127.0.0.1 between 20000 and 30000, in 100 random tries');
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
