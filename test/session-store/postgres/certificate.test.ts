import { createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { makeCertificate } from '../../support/network/certificates.ts';

it('an untrusted certificate of PostgreSQL is reported in words, with what to set', async () => {
  const { cert, key } = makeCertificate('postgres');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    // The answer "S" to SSLRequest: TLS begins with the next byte.
    socket.once('data', () => {
      socket.write('S', () => new TLSSocket(socket, { isServer: true, cert, key }).on('error', () => {}));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  await expect(openPostgresStore(`postgres://ann:pw@127.0.0.1:${port}/partway?sslmode=verify-full`)).rejects.toMatchObject({
    name: 'SessionStoreStartError',
    state: 'away',
    message: expect.stringMatching(/it is signed by itself \(DEPTH_ZERO_SELF_SIGNED_CERT\).*NODE_EXTRA_CA_CERTS/),
  });
});
