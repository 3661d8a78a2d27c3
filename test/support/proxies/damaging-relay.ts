import { once } from 'node:events';
import * as net from 'node:net';
import { onTestFinished } from 'vitest';

type Direction = 'up' | 'down';

export interface DamagingRelay {
  readonly port: number;
  /** Inverts the last byte of the next chunk in that direction, on any connection. */
  damage(direction: Direction): void;
  /** Answers this many connections with an unencrypted page, as the sign-in pages of networks do, whatever the request is. */
  signInPage(connections: number): void;
  /** Whether all ordered faults have happened. */
  readonly isDone: boolean;
}

/** Starts a TCP relay to a port of this host that damages what passes. It knows nothing of TLS. Closed when the test ends. */
export async function startDamagingRelay(targetPort: number): Promise<DamagingRelay> {
  const orders = new Set<Direction>();
  const sockets = new Set<net.Socket>();
  let pages = 0;
  const server = net.createServer((client) => {
    track(client);
    if (pages > 0) {
      pages -= 1;
      client.end('HTTP/1.1 302 Found\r\nlocation: http://sign-in.test/\r\ncontent-length: 0\r\n\r\n').resume();
      return;
    }
    const upstream = net.connect(targetPort, '127.0.0.1');
    track(upstream);
    relay('up', client, upstream);
    relay('down', upstream, client);
  });

  function track(socket: net.Socket): void {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  }

  function relay(direction: Direction, from: net.Socket, to: net.Socket): void {
    from.on('data', (bytes) => {
      const last = bytes.length - 1;
      if (orders.delete(direction)) bytes.writeUInt8(bytes.readUInt8(last) ^ 0xff, last);
      if (to.write(bytes)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => to.end());
    from.on('close', () => to.destroy());
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    damage: (direction) => void orders.add(direction),
    signInPage(connections) {
      pages = connections;
    },
    get isDone() {
      return orders.size === 0 && pages === 0;
    },
  };
}
