import { once } from 'node:events';
import * as https from 'node:https';
import * as net from 'node:net';
import { onTestFinished } from 'vitest';
import { makeCertificate } from './certificates.ts';

const HANDSHAKE_RECORD = 0x16;

/** Ways in which servers that speak only TLS respond to plain HTTP. */
export const REFUSALS: readonly (readonly [string, (socket: net.Socket) => void])[] = [
  ['closes', (socket) => socket.destroy()],
  ['answers with a TLS alert', (socket) => socket.end(Buffer.from('15030100020246', 'hex'))],
  [
    'answers HTTP 400, as Go and nginx do',
    (socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'),
  ],
];

/** Opens a port that speaks TLS and handles plain HTTP with `refuse`. Returns its `http:` URL. Closed when the test ends. */
export async function aTlsPort(refuse: (socket: net.Socket) => void): Promise<string> {
  const sockets = new Set<net.Socket>();
  const secure = https.createServer(makeCertificate('tls-only'), (_, response) => response.end());
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (first) => {
      if (first[0] !== HANDSHAKE_RECORD) return refuse(socket.resume());
      socket.pause().unshift(first);
      secure.emit('connection', socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}
