import { describe, expect } from 'vitest';
import { MiB } from '../../../src/session/part-plan.ts';
import { test } from '../../support/client/cli-test.ts';
import { SIGNER_ID } from '../../support/server/scripted-control-plane.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

const APP = 'https://app.example.com';
const DOCTORED = { size: 16 * MiB, strategy: 'single', partSize: 16 * MiB, partCount: 1 } as const;

describe('doctor', () => {
  test('tries everything with a real part as large as the default, and aborts it', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    const { exitCode, stdout } = await partway(['doctor']);
    expect(stdout.lines.filter((line) => !line.startsWith('ok  '))).toEqual(['Uploads can start.']);
    expect(exitCode).toBe(0);
    expect(server.content.length).toBe(16 * MiB);
    expect(stdout.text).toContain('took 16.0 MiB over a presigned URL');
    expect(server.requests.at(-1)).toBe('DELETE /api/uploads/{id}');
    expect(server.bodies.get('POST /api/uploads')).toMatchObject({
      key: expect.stringMatching(/^partway-doctor\/[0-9a-f-]{36}$/),
      size: 16 * MiB,
    });
  });

  test('sends a part of the size that --size asks for', async ({ server, partway }) => {
    server.session = aWireSession({ ...DOCTORED, size: 64, partSize: 64 });
    const { stdout } = await partway(['doctor', '--size', '64B']);
    expect(server.bodies.get('POST /api/uploads')).toMatchObject({ size: 64 });
    expect(stdout.text).toContain('took 64 bytes over a presigned URL');
  });

  test.for(['0', '6GiB', 'large'])('refuses %j as a size', async (size, { server, partway }) => {
    expect((await partway(['doctor', '--size', size])).exitCode).toBe(2);
    expect(server.requests).toEqual([]);
  });

  test('names a proxy that takes no large bodies, and tries the smallest part', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.storeAnswer = { status: 413, body: '<html>413 Request Entity Too Large</html>' };
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout.text).toMatch(/fail {2}store takes a part: something between here and \S+ refused 16\.0 MiB: HTTP 413/);
    expect(stdout.text).toContain('fail  store takes a part of 5.00 MiB');
    expect(server.requests.filter((request) => request === 'DELETE /api/uploads/{id}')).toHaveLength(2);
  });

  test('fails if the store does not show the checksum that proves a part', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.showsChecksums = false;
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout.text).toContain('fail  store shows checksums: it took the part, and its list does not show the CRC32 of it');
  });

  test('tries no more than the token may upload', async ({ server, partway }) => {
    server.session = aWireSession({ ...DOCTORED, size: 64, partSize: 64 });
    server.refuse('POST /api/uploads', 'OBJECT_TOO_LARGE', 'Too large.', { maxObjectSize: 64 }, 1);
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout.text).toContain('took 64 bytes over a presigned URL');
  });

  test('aborts its trial also when the store refuses the part', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.storeAnswer = { status: 403, body: '<Error><Code>SignatureDoesNotMatch</Code></Error>' };
    const { exitCode, stdout } = await partway(['doctor', '--json']);
    expect(exitCode).toBe(1);
    expect(stdout.jsonLines).toContainEqual(
      expect.objectContaining({ type: 'finding', check: 'store takes a part', outcome: 'fail' }),
    );
    expect(stdout.jsonLines.at(-1)).toEqual({ type: 'summary', healthy: false, failures: 1 });
    expect(server.requests.at(-1)).toBe('DELETE /api/uploads/{id}');
  });

  test('warns when the store deletes parts before the session expires', async ({ server, partway }) => {
    server.session = aWireSession({ ...DOCTORED, partsKeptUntil: '2026-11-24T12:00:00.000Z' });
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout.text).toContain('MINIO_API_STALE_UPLOADS_EXPIRY=720h');
    expect(stdout.text).toContain('PARTWAY_S3_STALE_UPLOADS_EXPIRY=720h');
  });

  test('warns of clocks that are wrong', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.clockOffsetMs = 10 * 60_000;
    const { stdout } = await partway(['doctor']);
    expect(stdout.lines.filter((line) => line.startsWith('warn'))).toHaveLength(2);
  });

  test('makes its trial under the key prefix of the server', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.storeReport = { ...server.storeReport, keyPrefix: 'team/' };
    await partway(['doctor']);
    expect(server.bodies.get('POST /api/uploads')).toMatchObject({ key: expect.stringMatching(/^team\/partway-doctor\//) });
  });

  test('asks the store whether pages of the server and of each configured origin may send parts', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.storeReport = { ...server.storeReport, corsOrigins: [APP] };
    server.allowsOrigin = (origin) => origin === server.url || origin === APP;
    const { stdout } = await partway(['doctor']);
    expect(stdout.text).toContain(
      `ok    CORS (for browsers): pages of ${server.url}, ${APP} may send parts to the store, others may not`,
    );
  });

  test('names each origin that the store refuses, and the setting of MinIO that allows it', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.storeReport = { ...server.storeReport, corsOrigins: [APP] };
    server.allowsOrigin = () => false;
    const { exitCode, stdout } = await partway(['doctor']);
    expect(stdout.text).toContain(`info  CORS (for browsers): pages of ${server.url} may not send parts to the store`);
    expect(stdout.text).toContain(`warn  CORS (for browsers): pages of ${APP} may not send parts to the store`);
    expect(stdout.text).toContain(`MINIO_API_CORS_ALLOW_ORIGIN=${server.url},${APP} `);
    expect(exitCode).toBe(0);
  });

  test('warns of a store that answers the pages of any origin', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.allowsOrigin = () => true;
    const { exitCode, stdout } = await partway(['doctor']);
    expect(stdout.text).toContain('warn  CORS (for browsers): any page that a browser shows may send requests to the store');
    expect(stdout.text).toContain(`MINIO_API_CORS_ALLOW_ORIGIN=${server.url} `);
    expect(exitCode).toBe(0);
  });

  test('does not fail for an older server, which cannot say what signs part URLs', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.refuse('GET /api/store', 'ROUTE_NOT_FOUND', 'There is no GET /api/store.');
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout.text).toContain('info  part URLs are signed with: unknown: the server is older than this program');
    expect(server.content.length).toBe(16 * MiB);
  });

  test('fails if the store gives no credentials to sign with', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.refuse('GET /api/store', 'STORE_REFUSED', 'AccessDenied (403): Access Denied.');
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout.text).toContain('fail  part URLs are signed with: AccessDenied (403)');
  });

  test('fails if the store accepts forged writes of the signer, and says what to do', async ({ server, partway }) => {
    server.session = aWireSession(DOCTORED);
    server.forgeable.add(SIGNER_ID);
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout.text).toMatch(/fail {2}forged writes: 127.0.0.1:\d+ takes writes that nothing signed \(CVE-2026-41145\)/);
    expect(stdout.text).toContain('bind s3:PutObject to s3:authType');
    expect(stdout.text).toContain('ok    access key ids that can be guessed');
  });

  test.for(['minioadmin', 'partway', 'partway-root'])(
    'fails where the store takes writes in the name of %s',
    async (id, { server, partway }) => {
      server.session = aWireSession(DOCTORED);
      server.forgeable.add(id);
      const { exitCode, stdout } = await partway(['doctor']);
      expect(exitCode).toBe(1);
      expect(stdout.text).toContain(
        `fail  access key ids that can be guessed: the store takes writes in the name of ${id}: anyone`,
      );
    },
  );

  test('stops if the remaining checks could only fail as well', async ({ server, partway }) => {
    const { exitCode, stdout } = await partway(['doctor'], { env: {} });
    expect(exitCode).toBe(1);
    expect(stdout.lines[0]).toContain('fail  configuration: PARTWAY_TOKEN is not set.');
    expect(server.requests).toEqual([]);
  });

  test('creates no session with a token that is refused', async ({ server, partway }) => {
    server.refuse('GET /api/uploads', 'UNAUTHORIZED', 'The token is unknown.');
    const { exitCode, stdout } = await partway(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout.text).toContain('fail  token accepted: The token is unknown.');
    expect(server.requests).not.toContain('POST /api/uploads');
  });
});
