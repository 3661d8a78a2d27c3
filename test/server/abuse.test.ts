import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type * as wire from '../../src/contract/wire.ts';
import { newToken, TOKEN_PREFIX } from '../../src/server/access/auth.ts';
import { createTokenAdmin } from '../../src/server/access/tokens.ts';
import { noAudit } from '../../src/server/audit/event.ts';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { NO_LIMITS } from '../../src/session/access.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { checksumOf } from '../suites/object-store.ts';
import { type Answer, sendRequest } from '../support/network/send-request.ts';
import { readProblem } from '../support/server/control-plane.ts';
import { serverConfig } from '../support/server/real-server.ts';
import { createTestBucket, sharedMinio } from '../support/store/minio.ts';

const ADMIN = newToken(TOKEN_PREFIX);
const SECRET = Buffer.from('what an uploader must never read or replace');
const BYTES = Buffer.from('the bytes of the attacker, as many as of the');

let server: RunningServer;
let bucket: string;
let folder: string;
let s3: S3Client;
let addresses = 0;
/** Another one for each request: so many failures from one would be refused for that alone (test/server/edge). */
const anAddress = () => `10.0.${Math.floor(++addresses / 250)}.${addresses % 250}`;

/** A token that may upload below `team-a/`, in the hands of an attacker. */
let attacker: string;

beforeAll(async () => {
  bucket = await createTestBucket();
  folder = mkdtempSync(join(tmpdir(), 'partway-abuse-'));
  const { endpoint, region, accessKeyId, secretAccessKey } = sharedMinio();
  s3 = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  const database = join(folder, 'partway.db');
  const config = serverConfig(bucket, {
    PARTWAY_TOKEN: ADMIN,
    PARTWAY_DATABASE_URL: database,
    PARTWAY_TRUSTED_PROXIES: 'loopback',
  });
  server = await startServer(config, pino({ level: 'silent' }), () => {});
  const tokens = openSqliteStore(database);
  const limits = { ...NO_LIMITS, keyPrefix: 'team-a/', quotaBytes: 1024 ** 4 };
  const request = { name: 'attacker', scopes: ['upload'] as const, limits, expiresAt: null, rotate: false };
  attacker = (await createTokenAdmin(tokens, noAudit, Date.now).create(request)).token;
  await tokens.close();
  await uploadWhole(ADMIN, 'victim/secret.bin', SECRET);
  await uploadWhole(attacker, 'team-a/own.bin', BYTES);
});
afterAll(async () => {
  s3.destroy();
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function ask(method: string, path: string, body?: unknown, token = attacker): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'x-forwarded-for': anAddress(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}
async function mustAsk<T>(method: string, path: string, body?: unknown, token = attacker): Promise<T> {
  const response = await ask(method, path, body, token);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
async function codeOf(response: Response): Promise<string> {
  return (await readProblem(response)).code;
}

const create = (changes: Partial<wire.CreateRequest> = {}, token = attacker) =>
  mustAsk<wire.Session>(
    'POST',
    '/api/uploads',
    { fileName: 'a.bin', size: BYTES.length, key: `team-a/${randomBytes(6).toString('hex')}`, ...changes },
    token,
  );

async function presign({ sessionId }: wire.Session, checksum?: string, token = attacker): Promise<wire.PresignedPart> {
  const request = { partNumbers: [1], ...(checksum === undefined ? {} : { checksums: { 1: checksum } }) };
  const { parts } = await mustAsk<wire.PresignResponse>('POST', `/api/uploads/${sessionId}/parts/presign`, request, token);
  return parts[0] as wire.PresignedPart;
}
async function put(part: wire.PresignedPart, body: Uint8Array, extra: Record<string, string> = {}): Promise<Answer> {
  return sendRequest('PUT', part.url, { ...part.headers, 'content-length': String(body.length), ...extra }, body);
}

async function uploadWhole(token: string, key: string, bytes: Uint8Array): Promise<wire.Session> {
  const session = await create({ key, size: bytes.length }, token);
  const { status } = await put(await presign(session, checksumOf(bytes), token), bytes);
  expect(status).toBe(200);
  return mustAsk('POST', `/api/uploads/${session.sessionId}/complete`, { checksum: checksumOf(bytes) }, token);
}

/** Everything that the bucket holds, finished or not, and all records of the server. */
async function everything() {
  const objects = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  const uploads = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  const secret = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'victim/secret.bin' }));
  const { uploads: sessions } = await mustAsk<wire.SessionList>('GET', '/api/uploads?limit=200', undefined, ADMIN);
  return {
    objects: objects.Contents?.map(({ Key, ETag, Size }) => ({ Key, ETag, Size })),
    uploads: uploads.Uploads?.map(({ Key, UploadId }) => ({ Key, UploadId })),
    secret: { etag: secret.ETag, size: secret.ContentLength },
    sessions: sessions.map(({ sessionId, status, storedBytes }) => ({ sessionId, status, storedBytes })),
  };
}

describe('a create with', () => {
  let before: unknown;
  beforeEach(async () => {
    before = await everything();
  });

  const keyOf = (key: string) => ({ fileName: 'a', size: 5, key });
  const nameOf = (fileName: string) => ({ fileName, size: 5 });
  it.each<[string, string, unknown]>([
    ['a key elsewhere', 'KEY_NOT_ALLOWED', keyOf('victim/secret.bin')],
    ['a key that climbs out', 'INVALID_KEY', keyOf('team-a/../victim/secret.bin')],
    ['a key that climbs out by backslashes', 'INVALID_KEY', keyOf('team-a/..\\..\\victim')],
    ['a key of dots', 'INVALID_KEY', keyOf('team-a/./x')],
    ['a key with an empty segment', 'INVALID_KEY', keyOf('team-a//x')],
    ['an absolute key', 'INVALID_KEY', keyOf('/team-a/x')],
    ['a key with a NUL', 'INVALID_KEY', keyOf('team-a/x\0.bin')],
    ['a key with a line break', 'INVALID_KEY', keyOf('team-a/x\r\nx-amz-acl: public-read')],
    ['a key with an escape sequence', 'INVALID_KEY', keyOf('team-a/\u001b[2J')],
    ['a key that is read backwards', 'INVALID_KEY', keyOf('team-a/\u202egpj.exe')],
    ['half a character', 'INVALID_KEY', keyOf('team-a/\ud800')],
    ['a key of 1,025 bytes', 'INVALID_REQUEST', keyOf(`team-a/${'x/'.repeat(509)}`)],
    ['a segment of 256 bytes', 'INVALID_KEY', keyOf(`team-a/${'x'.repeat(256)}`)],
    ['a prefix that only looks the same', 'KEY_NOT_ALLOWED', keyOf('te\u0430m-a/x')],
    ['a prefix in full width', 'KEY_NOT_ALLOWED', keyOf('\uff54eam-a/x')],
    ['a slash that is none', 'KEY_NOT_ALLOWED', keyOf('team-a\u2215x')],
    ['a key below an object', 'KEY_CONFLICT', keyOf('team-a/own.bin/x')],
    ['a file name that climbs out', 'INVALID_KEY', nameOf('../victim/secret.bin')],
    ['a file name that climbs out of a template', 'INVALID_KEY', { ...nameOf('../../victim'), keyTemplate: '{date}/{fileName}' }],
    ['a file name with a line break', 'INVALID_REQUEST', nameOf('a\r\nset-cookie: x')],
    ['an unknown placeholder', 'INVALID_KEY', { ...nameOf('a'), keyTemplate: 'team-a/{env}' }],
    ['a key and a template', 'INVALID_REQUEST', { ...keyOf('team-a/x'), keyTemplate: '{fileName}' }],
    ['a negative size', 'INVALID_REQUEST', { fileName: 'a', size: -1 }],
    ['half a byte', 'INVALID_REQUEST', { fileName: 'a', size: 0.5 }],
    ['a size beyond what an object can have', 'INVALID_REQUEST', { fileName: 'a', size: 5 * 1024 ** 4 + 1 }],
    ['a size beyond what a number can hold', 'INVALID_REQUEST', '{"fileName":"a","size":99999999999999999999999}'],
    ['a size as text', 'INVALID_REQUEST', { fileName: 'a', size: '5' }],
    ['more than the quota', 'QUOTA_EXCEEDED', { fileName: 'a', size: 2 * 1024 ** 4 }],
    ['a part size of one byte', 'INVALID_PLAN', { fileName: 'a', size: 100 * MiB, partSize: 1 }],
    ['a part size of nothing', 'INVALID_PLAN', { fileName: 'a', size: 100 * MiB, partSize: 0 }],
    [
      'a content type that is a header',
      'INVALID_REQUEST',
      { ...nameOf('a'), contentType: 'video/mp4\r\nx-amz-acl: public-read' },
    ],
    ['a content type over two lines', 'INVALID_REQUEST', { ...nameOf('a'), contentType: 'video/mp4;\n a=b' }],
    ['a content type that is not ASCII', 'INVALID_REQUEST', { ...nameOf('a'), contentType: 'video/mp4; a="\u00e9"' }],
    ['metadata whose name is a header', 'INVALID_REQUEST', { ...nameOf('a'), metadata: { 'a\r\nx-amz-acl': 'public-read' } }],
    ['metadata that forges the session', 'INVALID_REQUEST', { ...nameOf('a'), metadata: { 'Partway-Session': 'ses_1' } }],
    ['metadata given twice', 'INVALID_REQUEST', { ...nameOf('a'), metadata: { a: '1', A: '2' } }],
    ['too much metadata', 'INVALID_REQUEST', { ...nameOf('a'), metadata: { a: 'ü'.repeat(500) } }],
    ['tags that break out of their header', 'INVALID_REQUEST', { ...nameOf('a'), tags: { a: 'b&c=d\r\nx: y' } }],
    ['a disposition of its own', 'INVALID_REQUEST', { ...nameOf('a'), contentDisposition: 'attachment; filename=x\r\ny: z' }],
    ['fields that there are not', 'INVALID_REQUEST', { ...nameOf('a'), owner: 'admin' }],
    ['a prototype', 'INVALID_REQUEST', '{"fileName":"a","size":5,"__proto__":{"owner":"admin"}}'],
    ['no JSON', 'INVALID_REQUEST', '{"fileName":'],
    ['a body of 3 MiB', 'BODY_TOO_LARGE', { ...nameOf('a'), fingerprint: 'x'.repeat(3 * MiB) }],
  ])('%s is answered %s, and leaves nothing behind', async (_, code, body) => {
    const response = await ask('POST', '/api/uploads', body);

    expect(await codeOf(response)).toBe(code);
    expect(await everything()).toEqual(before);
  });

  it('metadata that looks like headers stores it as the text that it is', async () => {
    const text = 'x\r\nx-amz-acl: public-read\r\n\r\nü';
    const session = await create({ metadata: { note: text } });
    await put(await presign(session, checksumOf(BYTES)), BYTES);
    await mustAsk('POST', `/api/uploads/${session.sessionId}/complete`, {});

    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: session.key }));
    expect(head.Metadata).toEqual({ note: encodeURIComponent(text), 'partway-session': session.sessionId });
  });
});

describe('a request for URLs of', () => {
  it.each<[string, unknown]>([
    ['10,000 parts at once', { partNumbers: Array.from({ length: 10_000 }, (_, index) => index + 1) }],
    ['the same part twice', { partNumbers: [1, 1] }],
    ['part 0', { partNumbers: [0] }],
    ['part -1', { partNumbers: [-1] }],
    ['part 10,001', { partNumbers: [10_001] }],
    ['a part beyond the plan', { partNumbers: [2] }],
    ['no part', { partNumbers: [] }],
    ['a part by name', { partNumbers: ['1'] }],
    ['a checksum that is none', { partNumbers: [1], checksums: { 1: 'x' } }],
  ])('%s is refused', async (_, body) => {
    const session = await create();
    expect(await codeOf(await ask('POST', `/api/uploads/${session.sessionId}/parts/presign`, body))).toBe('INVALID_REQUEST');
  });
});

describe('a presigned URL', () => {
  let session: wire.Session;
  let part: wire.PresignedPart;
  const checksum = checksumOf(BYTES);
  beforeEach(async () => {
    session = await create();
    part = await presign(session, checksum);
  });

  async function expectNothingStored(): Promise<void> {
    expect((await mustAsk<wire.PartsResponse>('GET', `/api/uploads/${session.sessionId}/parts`)).parts).toEqual([]);
    await expect(s3.send(new HeadObjectCommand({ Bucket: bucket, Key: session.key }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  }

  const sources = [
    '/BUCKET/victim/secret.bin',
    'BUCKET/victim/secret.bin',
    '%2FBUCKET%2Fvictim%2Fsecret.bin',
    '/BUCKET/victim/secret.bin?versionId=null',
  ];
  const names = ['x-amz-copy-source', 'X-Amz-Copy-Source', 'X-AMZ-COPY-SOURCE'];
  const companions: Record<string, string>[] = [
    {},
    { 'x-amz-copy-source-range': 'bytes=0-4' },
    { 'x-amz-copy-source-if-match': '*' },
    { 'x-amz-metadata-directive': 'REPLACE' },
    { 'x-amz-checksum-crc32': checksumOf(SECRET) },
  ];
  it.each(sources.flatMap((source) => names.map((name) => [name, source] as const)))(
    'with %s: %s copies nothing',
    async (name, source) => {
      for (const signed of [part, await presign(session)]) {
        for (const companion of companions) {
          for (const body of [Buffer.alloc(0), BYTES]) {
            const answer = await put(signed, body, { [name]: source.replace('BUCKET', bucket), ...companion });
            expect(answer.status).toBeGreaterThanOrEqual(400);
            expect(answer.status).toBeLessThan(500);
          }
        }
      }
      await expectNothingStored();
    },
  );

  it('takes no other length, no other bytes, no other part, and is no PUT of the whole object', async () => {
    const other = Buffer.from(BYTES).reverse();
    const another = (change: (url: string) => string) => ({ ...part, url: change(part.url) });
    expect(await put(part, other)).toMatchObject({ status: 400, code: 'XAmzContentChecksumMismatch' });
    expect(await put(part, other, { 'x-amz-checksum-crc32': checksumOf(other) })).toMatchObject({ status: 403 });
    expect(await put(part, BYTES.subarray(1))).toMatchObject({ status: 403 });
    expect(await put(part, Buffer.alloc(0))).toMatchObject({ status: 403 });
    expect(
      await put(
        another((url) => url.replace('partNumber=1', 'partNumber=2')),
        BYTES,
      ),
    ).toMatchObject({ status: 403 });
    expect(
      await put(
        another((url) => url.replace(/uploadId=[^&]+&?/, '')),
        BYTES,
      ),
    ).toMatchObject({ status: 403 });
    expect(
      await put(
        another((url) => url.replace(session.key, 'victim/secret.bin')),
        BYTES,
      ),
    ).toMatchObject({ status: 403 });
    await expectNothingStored();
  });

  it('is useless once the session is aborted', async () => {
    await mustAsk('DELETE', `/api/uploads/${session.sessionId}`);
    expect(await put(part, BYTES)).toMatchObject({ status: 404, code: 'NoSuchUpload' });
    const { uploads } = await everything();
    expect(uploads?.filter(({ Key }) => Key === session.key) ?? []).toEqual([]);
  });

  it('is useless once the session is completed, and the object stays as it was', async () => {
    expect(await put(part, BYTES)).toMatchObject({ status: 200 });
    const completed = await mustAsk<wire.Session>('POST', `/api/uploads/${session.sessionId}/complete`, {});
    expect(await put(part, BYTES)).toMatchObject({ status: 404, code: 'NoSuchUpload' });
    expect(await mustAsk('GET', `/api/uploads/${session.sessionId}/object`)).toMatchObject({ etag: completed.etag, checksum });
  });
});

describe('a token', () => {
  it.each([
    ['made up', () => newToken(TOKEN_PREFIX)],
    ['of another kind', () => newToken('pwc_')],
    ['cut short', () => attacker.slice(0, -1)],
    ['with one letter changed', () => `${attacker.slice(0, -1)}${attacker.endsWith('A') ? 'B' : 'A'}`],
    ['in other letters', () => attacker.toUpperCase()],
    ['of 512 letters', () => 'x'.repeat(512)],
  ])('that is %s opens nothing', async (_, token) => {
    expect(await codeOf(await ask('GET', '/api/uploads', undefined, token()))).toBe('UNAUTHORIZED');
  });

  it('is not taken from a path, a query or a cookie', async () => {
    const { sessionId } = await create();
    const paths = [
      `/c/${attacker}/api/uploads/${sessionId}`,
      `/api/uploads/${sessionId}?token=${attacker}&access_token=${attacker}`,
    ];
    for (const path of paths) {
      const response = await fetch(`${server.url}${path}`, {
        headers: { cookie: `token=${attacker}`, 'x-forwarded-for': anAddress() },
      });
      expect(await codeOf(response)).toBe('UNAUTHORIZED');
    }
  });
});

describe('a capability', () => {
  let session: wire.Session;
  let capability: wire.Capability;
  beforeEach(async () => {
    session = await create();
    capability = await mustAsk('POST', `/api/uploads/${session.sessionId}/capabilities`, {});
  });

  it('reaches no other session by any spelling of a path', async () => {
    const other = await create();
    const { basePath } = capability;
    const paths = [
      `${basePath}/api/uploads/${other.sessionId}`,
      `${basePath}/api/uploads/${session.sessionId}/../${other.sessionId}`,
      `${basePath}/api/uploads/${session.sessionId}/%2e%2e/${other.sessionId}`,
      `${basePath}${basePath}/api/uploads/${other.sessionId}`,
      `${basePath}/api/uploads/${session.sessionId}%2f..%2f${other.sessionId}`,
    ];
    for (const path of paths) {
      const { status, body } = await sendRequest('GET', `${server.url}${path}`, { 'x-forwarded-for': anAddress() });
      expect([401, 404], path).toContain(status);
      expect(body.toString()).not.toContain(other.key);
    }
  });

  it('is refused with any change', async () => {
    const { token } = capability;
    for (const forged of [
      `${token}x`,
      token.slice(0, -1),
      `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
      'pwc_',
      'pwc_null',
    ]) {
      expect(await codeOf(await ask('GET', `/api/uploads/${session.sessionId}`, undefined, forged))).toBe('UNAUTHORIZED');
    }
  });

  it('is good for one upload: not for lists, other sessions or more capabilities', async () => {
    const { token } = capability;
    expect(await codeOf(await ask('GET', '/api/uploads', undefined, token))).toBe('FORBIDDEN');
    expect(await codeOf(await ask('POST', '/api/uploads', { fileName: 'a', size: 1 }, token))).toBe('FORBIDDEN');
    expect(await codeOf(await ask('POST', `/api/uploads/${session.sessionId}/capabilities`, {}, token))).toBe('FORBIDDEN');
  });
});

describe('two sessions for one key', () => {
  it('end in one winner and one clear 409, and the loser can still be aborted', async () => {
    const key = `team-a/race-${randomBytes(4).toString('hex')}`;
    const [mine, theirs] = [await create({ key }), await create({ key }, ADMIN)];
    await put(await presign(mine, checksumOf(BYTES)), BYTES);
    await put(await presign(theirs, checksumOf(BYTES), ADMIN), BYTES);

    const answers = await Promise.all([
      ask('POST', `/api/uploads/${mine.sessionId}/complete`, {}),
      ask('POST', `/api/uploads/${theirs.sessionId}/complete`, {}, ADMIN),
    ]);

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const loser = answers.findIndex(({ status }) => status === 409);
    expect(await codeOf(answers[loser] as Response)).toBe('OBJECT_EXISTS');
    const { sessionId } = loser === 0 ? mine : theirs;
    expect(await mustAsk('DELETE', `/api/uploads/${sessionId}`, undefined, ADMIN)).toMatchObject({ status: 'aborted' });
  });
});
