import { randomBytes } from 'node:crypto';
import { HeadObjectCommand, ListObjectsV2Command, ListPartsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type * as wire from '../../src/contract/wire.ts';
import { minioAdmin } from '../../src/dev/minio/admin.ts';
import type { S3Target } from '../../src/dev/minio/bucket.ts';
import { randomCredentials } from '../../src/dev/minio/minio.ts';
import { type PolicyDocument, signingKeyPolicy } from '../../src/dev/minio/policy.ts';
import type { MinioCredentials } from '../../src/dev/minio/server.ts';
import { newToken, TOKEN_PREFIX } from '../../src/server/access/auth.ts';
import { startServer } from '../../src/server/start-server.ts';
import { checksumOf } from '../suites/object-store.ts';
import { type Answer, sendRequest } from '../support/network/send-request.ts';
import { collectLog, serverConfig } from '../support/server/real-server.ts';
import { forgePut, forgeSnowball, type KnownId } from '../support/store/forged-requests.ts';
import { createRestrictedBucket, sharedMinio } from '../support/store/minio.ts';

const BYTES = Buffer.from('the bytes of the upload');
const REFUSED = { status: 403, code: 'AccessDenied' };

let bucket: string;
let user: S3Target;
let s3: S3Client;
let store: { endpoint: string; bucket: string };
beforeAll(async () => {
  ({ bucket, user } = await createRestrictedBucket());
  const { endpoint, region, accessKeyId, secretAccessKey } = sharedMinio();
  store = { endpoint, bucket };
  s3 = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
});
afterAll(() => s3.destroy());

/** A server as that MinIO's user, or as another account. */
async function aServer(env: Record<string, string>, account: S3Target = user) {
  const token = newToken(TOKEN_PREFIX);
  const { log, text } = collectLog();
  const server = await startServer(serverConfig(bucket, { PARTWAY_TOKEN: token, ...env }, account), log, () => {});
  onTestFinished(() => server.stop());
  const ask = (method: string, path: string, body?: unknown) =>
    fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const mustAsk = async <T>(...args: Parameters<typeof ask>): Promise<T> => {
    const response = await ask(...args);
    expect(response.ok, await response.clone().text()).toBe(true);
    return (await response.json()) as T;
  };
  return { ask, mustAsk, log: text };
}
type Server = Awaited<ReturnType<typeof aServer>>;

const aKey = () => `file-${randomBytes(6).toString('hex')}`;

/** A session with one URL that a forger has seen, and the upload at the store, which only the store's owner can look up. */
async function aSession(server: Server, key = aKey()) {
  const session = await server.mustAsk<wire.Session>('POST', '/api/uploads', { fileName: 'a.bin', size: BYTES.length, key });
  const part = await presignFirst(server, session);
  return { session, part, url: new URL(part.url) };
}

async function presignFirst(server: Server, { sessionId }: wire.Session): Promise<wire.PresignedPart> {
  const request = { partNumbers: [1], checksums: { 1: checksumOf(BYTES) } };
  const { parts } = await server.mustAsk<wire.PresignResponse>('POST', `/api/uploads/${sessionId}/parts/presign`, request);
  const [part] = parts;
  if (part === undefined) throw new Error('no URL');
  return part;
}

async function anUpload(server: Server, file: wire.CreateRequest): Promise<wire.Session> {
  const session = await server.mustAsk<wire.Session>('POST', '/api/uploads', file);
  const part = await presignFirst(server, session);
  expect(await sendRequest('PUT', part.url, part.headers, BYTES)).toMatchObject({ status: 200 });
  return server.mustAsk('POST', `/api/uploads/${session.sessionId}/complete`, { checksum: checksumOf(BYTES) });
}

/** The facts about its signer that a part URL shows. */
function idIn(url: URL): KnownId {
  const [accessKeyId = ''] = (url.searchParams.get('X-Amz-Credential') ?? '').split('/');
  const sessionToken = url.searchParams.get('X-Amz-Security-Token');
  return { accessKeyId, ...(sessionToken !== null && { sessionToken }) };
}

function uploadIdIn(url: URL): string {
  return url.searchParams.get('uploadId') ?? '';
}

async function keysInBucket(): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = '' }) => Key).sort();
}

async function aSigningKey(policy: PolicyDocument = signingKeyPolicy(bucket)): Promise<MinioCredentials> {
  const credentials = randomCredentials();
  const admin = minioAdmin(sharedMinio());
  await admin.putPolicy(credentials.accessKeyId, policy);
  await admin.putUser(credentials);
  await admin.attachPolicy(credentials.accessKeyId, credentials.accessKeyId);
  return credentials;
}

/** Every forgery that is known, of a finished object, a new one, a part and an archive. */
async function everyForgery(id: KnownId, key: string, uploadId: string): Promise<Record<string, Answer>> {
  return {
    'an object in the place of the file': await forgePut(store, id, key),
    'another object': await forgePut(store, id, aKey()),
    'a part of the upload': await forgePut(store, id, key, { uploadId, partNumber: 1 }),
    'an archive, with the id in the query': await forgeSnowball(store, id, aKey(), 'query'),
    'an archive, with the id in a header': await forgeSnowball(store, id, aKey(), 'header'),
  };
}

const signers: Record<string, () => Promise<Record<string, string>>> = {
  'an STS session': async () => ({ PARTWAY_S3_SIGNING: 'sts' }),
  "the server's user": async () => ({ PARTWAY_S3_SIGNING: 'shared' }),
  'a signing key': async () => {
    const { accessKeyId, secretAccessKey } = await aSigningKey();
    return { PARTWAY_S3_SIGNING_ACCESS_KEY_ID: accessKeyId, PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: secretAccessKey };
  },
};

describe.each(Object.keys(signers))('who has seen a part URL that is signed by %s', (signer) => {
  it('writes nothing without a signature, and the upload goes on to its end', async () => {
    const server = await aServer((await signers[signer]?.()) ?? {});
    const { session, part, url } = await aSession(server);
    const before = await keysInBucket();

    const answers = await everyForgery(idIn(url), session.key, uploadIdIn(url));
    for (const [what, answer] of Object.entries(answers)) expect(answer, what).toMatchObject(REFUSED);
    expect(await keysInBucket()).toEqual(before);
    const { Parts } = await s3.send(new ListPartsCommand({ Bucket: bucket, Key: session.key, UploadId: uploadIdIn(url) }));
    expect(Parts ?? []).toEqual([]);

    expect(await sendRequest('PUT', part.url, part.headers, BYTES)).toMatchObject({ status: 200 });
    await server.mustAsk('POST', `/api/uploads/${session.sessionId}/complete`, { checksum: checksumOf(BYTES) });
    const afterwards = await everyForgery(idIn(url), session.key, uploadIdIn(url));
    for (const [what, answer] of Object.entries(afterwards)) expect(answer, what).toMatchObject(REFUSED);
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: session.key }));
    expect(head.ContentLength).toBe(BYTES.length);
  });
});

describe('an object that was written again with the same bytes, CRC32 and session id', () => {
  it('is distinguished from the one that the upload made', async () => {
    const server = await aServer({ PARTWAY_S3_SIGNING: 'sts' });
    const file = { fileName: 'a.bin', size: BYTES.length, key: aKey(), fingerprint: 'v1-the-file' };
    const { sessionId } = await anUpload(server, file);
    const object = () => server.mustAsk<wire.StoredObject>('GET', `/api/uploads/${sessionId}/object`);
    expect(await object()).toMatchObject({ uploadedBySession: true, sinceCompletion: { rewritten: false } });

    await s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: file.key,
        Body: BYTES,
        ChecksumCRC32: checksumOf(BYTES),
        Metadata: { 'partway-session': sessionId },
      }),
    );
    const same = { sameSize: true, sameChecksum: true };
    expect(await object()).toMatchObject({ uploadedBySession: true, sinceCompletion: { rewritten: true, ...same } });
    const again = await server.ask('POST', '/api/uploads', file);
    expect(await again.json()).toMatchObject({ status: 409, code: 'OBJECT_EXISTS' });
  });
});

describe('a signing key with the earlier policy, without the condition', () => {
  it('keeps the server from creating sessions, and the corrected policy refuses the forgery', async () => {
    const { Statement, ...policy } = signingKeyPolicy(bucket);
    const unbound = { ...policy, Statement: Statement.map(({ Condition: _, ...statement }) => statement) };
    const key = await aSigningKey(unbound);
    const server = await aServer({
      PARTWAY_S3_SIGNING_ACCESS_KEY_ID: key.accessKeyId,
      PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: key.secretAccessKey,
    });
    expect(await forgePut(store, key, aKey())).toMatchObject({ status: 200 });
    const refusal = await server.ask('POST', '/api/uploads', { fileName: 'a.bin', size: 5, key: aKey() });
    expect(await refusal.json()).toMatchObject({ code: 'STORE_OPEN_TO_FORGERY', hint: expect.stringContaining('minio-policy') });

    await minioAdmin(sharedMinio()).putPolicy(key.accessKeyId, signingKeyPolicy(bucket));
    expect(await forgePut(store, key, aKey())).toMatchObject(REFUSED);
  });
});

describe('the root key, which no policy binds', () => {
  it('lets everyone who knows its id write: SECURITY.md says so, and names the remedy', async () => {
    const { accessKeyId } = sharedMinio();
    const object = aKey();
    expect(await forgePut(store, { accessKeyId }, object)).toMatchObject({ status: 200 });
    const archived = [aKey(), aKey()];
    expect(await forgeSnowball(store, { accessKeyId }, archived[0] ?? '', 'query')).toMatchObject({ status: 200 });
    expect(await forgeSnowball(store, { accessKeyId }, archived[1] ?? '', 'header')).toMatchObject({ status: 200 });
    expect(await keysInBucket()).toEqual(expect.arrayContaining([object, ...archived]));
  });

  it('as the signer of part URLs keeps the server from being ready and from creating sessions', async () => {
    const server = await aServer({ PARTWAY_S3_SIGNING: 'shared' }, sharedMinio());
    const refusal = await server.ask('POST', '/api/uploads', { fileName: 'a.bin', size: 5 });
    expect(refusal.status).toBe(503);
    expect(await refusal.json()).toMatchObject({ code: 'STORE_OPEN_TO_FORGERY' });
    const readyz = await server.ask('GET', '/readyz');
    expect(readyz.status).toBe(503);
    expect(await readyz.json()).toMatchObject({ checks: { bucket: { ok: true }, forgedWrites: { ok: false } } });
    expect(server.log()).toContain('no upload begins until that is closed');
  });

  it('signs part URLs nevertheless where PARTWAY_S3_ALLOW_FORGERY says so, and the log warns', async () => {
    const env = { PARTWAY_S3_SIGNING: 'shared', PARTWAY_S3_ALLOW_FORGERY: 'yes' };
    const server = await aServer(env, sharedMinio());
    await aSession(server);
    expect((await server.ask('GET', '/readyz')).status).toBe(200);
    await vi.waitFor(() => expect(server.log()).toContain('PARTWAY_S3_ALLOW_FORGERY lets uploads begin nevertheless'), 30_000);
  });
});
