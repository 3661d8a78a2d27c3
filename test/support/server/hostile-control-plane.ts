import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { aWireProgress, aWireSession } from './wire-sessions.ts';

/** Fields that replace those of the true answer, or a function that answers the request in any way. */
export type Lie = object | RequestListener;

/**
 * Starts a control plane with a session of three parts of 5 MiB. It answers correctly, except for the operations that `lies` names
 * (`GET /api/uploads/{id}`, for example). Fields that a lie leaves out are correct.
 */
export async function hostileControlPlane(lies: Readonly<Record<string, Lie>>) {
  const session = aWireSession({ size: 15 * 1024 ** 2, partSize: 5 * 1024 ** 2 });
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const operation = `${request.method} ${pathname.replace(/(?<=uploads\/)[\w-]+/, '{id}')}`;
    requests.push(operation);
    const lie = lies[operation];
    if (typeof lie === 'function') return void lie(request, response);
    request.resume();
    response.writeHead(operation === 'POST /api/uploads' ? 201 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ...truth(operation, session, url), ...lie }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, session, requests };
}

function truth(operation: string, session: ReturnType<typeof aWireSession>, url: string): object {
  const { sessionId, bucket, key, size } = session;
  switch (operation) {
    case 'GET /api/uploads':
      return { uploads: [session], nextCursor: null };
    case 'GET /api/uploads/{id}/parts':
      return { sessionId, status: 'open', storedBytes: 0, parts: [], missing: [{ first: 1, last: 3 }] };
    case 'POST /api/uploads/{id}/parts/presign':
      return { parts: [aSignedPart(url)] };
    case 'GET /api/uploads/{id}/object':
      return { sessionId, bucket, key, size, etag: '"e"', checksum: 'AAAAAA==', uploadedBySession: true };
    case 'GET /api/uploads/{id}/progress':
    case 'POST /api/uploads/{id}/report':
      return aWireProgress(session);
    case 'POST /api/uploads/{id}/capabilities':
      return { capabilityId: 'cap_1', token: 'pwc_token', basePath: '/c/pwc_token', sessionId, expiresAt: session.createdAt };
    default:
      return session;
  }
}

/** Returns the first part, signed correctly except for `changes`. */
export function aSignedPart(url: string, changes: object = {}) {
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const headers = { 'content-length': String(5 * 1024 ** 2) };
  return { partNumber: 1, method: 'PUT', url: `${url}/store/part`, headers, start: 0, end: 5 * 1024 ** 2, expiresAt, ...changes };
}

/** Sends white space as JSON for as long as the client reads it. */
export const endlessAnswer: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const piece = Buffer.alloc(64 * 1024, ' ');
  const more = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', more);
  more();
};
