import * as net from 'node:net';

export interface ByteProxy {
  /** For example `http://127.0.0.1:21234`. */
  readonly url: string;
  /** Bytes that clients have sent to the target so far. */
  readonly bytesUp: number;
  /** Limit on the bytes that all connections together send to the target. Undefined for no limit. */
  bytesPerSecond: number | undefined;
  close(): Promise<void>;
}

export interface ByteProxyOptions {
  /** The port to listen on; a free one by default. */
  readonly port?: number;
  /** The initial limit on the bytes that all connections together send to the target; no limit by default. */
  readonly bytesPerSecond?: number;
  /** Whether to drop a connection at once, before a byte is read. Connections are numbered from 1. */
  readonly drops?: (connection: number) => boolean;
}

const SLICE_MS = 20;

/** Starts a TCP proxy that counts bytes and can be slow or lossy. It knows nothing of HTTP. */
export async function startByteProxy(target: string, options: ByteProxyOptions = {}): Promise<ByteProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<net.Socket>();
  const budget = createBudget(options.bytesPerSecond);
  let bytesUp = 0;
  let connections = 0;
  const server = net.createServer((client) => {
    connections += 1;
    if (options.drops?.(connections)) {
      client.destroy();
      return;
    }
    const upstream = net.connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.pipe(client);
    client.on('data', (bytes) => {
      bytesUp += bytes.length;
      const flushed = upstream.write(bytes);
      const waitMs = budget.spend(bytes.length);
      if (flushed && waitMs === 0) return;
      client.pause();
      const proceed = () => setTimeout(() => client.resume(), waitMs);
      if (flushed) proceed();
      else upstream.once('drain', proceed);
    });
    client.on('end', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    get bytesUp() {
      return bytesUp;
    },
    get bytesPerSecond() {
      return budget.bytesPerSecond;
    },
    set bytesPerSecond(bytesPerSecond) {
      budget.bytesPerSecond = bytesPerSecond;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Limits the rate by booking time: each byte takes its share, and a connection that is ahead of the clock waits. */
function createBudget(bytesPerSecond: number | undefined) {
  let bookedUntil = performance.now();
  return {
    bytesPerSecond,
    spend(bytes: number): number {
      if (this.bytesPerSecond === undefined) return 0;
      const now = performance.now();
      bookedUntil = Math.max(bookedUntil, now) + (bytes * 1_000) / this.bytesPerSecond;
      const ahead = bookedUntil - now;
      return ahead < SLICE_MS ? 0 : ahead;
    },
  };
}
