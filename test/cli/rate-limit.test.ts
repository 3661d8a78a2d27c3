import { describe, expect } from 'vitest';
import { test } from '../support/client/cli-test.ts';
import { aWireSession } from '../support/server/wire-sessions.ts';

const BYTES = Buffer.from('hello, world');
const SESSION = { size: BYTES.length, strategy: 'single', partSize: BYTES.length, partCount: 1 } as const;
const limitedOnce = ['TOO MANY', { retryAfterSeconds: 0.1 }, 1] as const;

describe('a rate limit that hits everything once', () => {
  test('does not end an upload', async ({ server, partway, makeFile }) => {
    server.session = aWireSession({ ...SESSION, fileName: 'a.mov', key: 'a.mov' });
    await makeFile('a.mov', BYTES);
    const operations = [
      'POST /api/uploads',
      'GET /api/uploads/{id}/parts',
      'POST /api/uploads/{id}/parts/presign',
      'POST /api/uploads/{id}/report',
      'POST /api/uploads/{id}/complete',
    ];
    for (const operation of operations) server.refuse(operation, 'RATE_LIMITED', ...limitedOnce);
    const { exitCode, stderr } = await partway(['upload', 'a.mov']);
    expect(stderr.text).not.toContain('TOO MANY');
    expect(exitCode).toBe(0);
    expect(server.content).toEqual(BYTES);
    for (const operation of operations) {
      expect(server.requests.filter((request) => request === operation).length, operation).toBeGreaterThan(1);
    }
  });

  test('does not end a resumed upload', async ({ server, partway, makeFile }) => {
    server.session = aWireSession({ ...SESSION, fileName: 'a.mov', key: 'a.mov' });
    const path = await makeFile('a.mov', BYTES);
    server.refuse('GET /api/uploads/{id}', 'RATE_LIMITED', ...limitedOnce);
    const { exitCode } = await partway(['resume', server.session.sessionId, path]);
    expect(exitCode).toBe(0);
    expect(server.content).toEqual(BYTES);
  });
});
