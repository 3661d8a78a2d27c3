import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { describe, expect, it, onTestFinished } from 'vitest';
import { minioAdmin } from '../../../src/dev/minio/admin.ts';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';
import { ensureControlPlaneAccount } from '../../../src/dev/minio/control-plane-account.ts';
import { randomCredentials } from '../../../src/dev/minio/minio.ts';
import { controlPlanePolicy, signingKeyPolicy } from '../../../src/dev/minio/policy.ts';
import { SetupError } from '../../../src/dev/process/setup-error.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { createRestrictedBucket, createTestBucket, sharedMinio } from '../../support/store/minio.ts';

function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: S3Target): S3Client {
  const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  onTestFinished(() => client.destroy());
  return client;
}

/** "yes", or the store's error code. */
async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'yes',
    (error: { name: string; $metadata?: { httpStatusCode?: number } }) =>
      error.$metadata?.httpStatusCode === 403 ? 'forbidden' : error.name,
  );
}

describe("the control plane's user", () => {
  it('may do what uploads need below its prefix, and nothing elsewhere', async () => {
    const { bucket, user } = await createRestrictedBucket('team/');
    const client = clientOf(user);
    const create = (Key: string) => outcome(client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key })));
    const head = (Key: string) => outcome(client.send(new HeadObjectCommand({ Bucket: bucket, Key })));
    const list = (Prefix?: string) => outcome(client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix })));
    expect([await create('team/a'), await create('a'), await create('tea')]).toEqual(['yes', 'forbidden', 'forbidden']);
    expect([await head('team/a'), await head('a')]).toEqual(['NotFound', 'forbidden']);
    expect([await list('team/'), await list('team/a/'), await list('te'), await list()]).toEqual([
      'yes',
      'yes',
      'forbidden',
      'forbidden',
    ]);
    expect(await outcome(client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'team/a' })))).toBe('yes');
  });

  it('may not delete, and has no rights over buckets, its own included', async () => {
    const { bucket, user } = await createRestrictedBucket();
    const client = clientOf(user);
    expect(await outcome(client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a' })))).toBe('forbidden');
    expect(await outcome(client.send(new CreateBucketCommand({ Bucket: `${bucket}-2` })))).toBe('forbidden');
    const other = await createTestBucket();
    expect(await outcome(client.send(new HeadBucketCommand({ Bucket: other })))).toBe('forbidden');
    // MinIO answers, and names only those buckets that the user may list.
    const { Buckets } = await client.send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual([bucket]);
  });

  it('reads nothing through a presigned URL', async () => {
    const { bucket, user } = await createRestrictedBucket();
    await clientOf(sharedMinio()).send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: 'secret' }));
    const read = new GetObjectCommand({ Bucket: bucket, Key: 'a' });
    const byUser = await sendRequest('GET', await getSignedUrl(clientOf(user), read, { expiresIn: 60 }));
    const byRoot = await sendRequest('GET', await getSignedUrl(clientOf(sharedMinio()), read, { expiresIn: 60 }));
    expect([byUser.status, byUser.code, byRoot.status]).toEqual([403, 'AccessDenied', 200]);
  });

  it('can be created again by each start, also with another prefix', async () => {
    const bucket = await createTestBucket();
    const credentials = randomCredentials();
    const first = await ensureControlPlaneAccount(sharedMinio(), { bucket, credentials });
    const second = await ensureControlPlaneAccount(sharedMinio(), { bucket, credentials, keyPrefix: 'b/' });
    expect(second).toEqual(first);
    const client = clientOf(second);
    const create = (Key: string) => outcome(client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key })));
    expect([await create('a'), await create('b/a')]).toEqual(['forbidden', 'yes']);
  });

  it('is never root', async () => {
    const credentials = { accessKeyId: sharedMinio().accessKeyId, secretAccessKey: 'whatever-it-is' };
    await expect(ensureControlPlaneAccount(sharedMinio(), { bucket: 'b', credentials })).rejects.toBeInstanceOf(SetupError);
  });
});

describe("MinIO's admin API", () => {
  it('reports a refusal in its own words, without a secret', async () => {
    const credentials = { accessKeyId: 'ok-name', secretAccessKey: 'short' };
    const failure = await minioAdmin(sharedMinio()).putUser(credentials).catch(String);
    expect(failure).toMatch(/MinIO refused add-user \(400\): .*secret/i);
    expect(failure).not.toContain(sharedMinio().secretAccessKey);
  });

  it('is closed to every user except root', async () => {
    const { user } = await createRestrictedBucket();
    await expect(minioAdmin(user).putUser(randomCredentials())).rejects.toThrow('MinIO refused add-user (403)');
  });
});

describe('docs/minio-policy.md', () => {
  it('shows the policies that are applied', async () => {
    const page = await readFile('docs/minio-policy.md', 'utf8');
    const shown = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json));
    expect(shown).toEqual([controlPlanePolicy('uploads'), signingKeyPolicy('uploads')]);
  });
});

describe('the setup service of compose.yaml', () => {
  const run = (env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, [resolve('dist/dev/setup-store.js')], { env }).then(
      ({ stdout }) => stdout,
      ({ code, stderr }: { code: number; stderr: string }) => `${code}: ${stderr}`,
    );
  const settings = (bucket: string, user: { accessKeyId: string; secretAccessKey: string }) => ({
    MINIO_ROOT_USER: sharedMinio().accessKeyId,
    MINIO_ROOT_PASSWORD: sharedMinio().secretAccessKey,
    PARTWAY_S3_ENDPOINT: sharedMinio().endpoint,
    PARTWAY_S3_REGION: 'us-east-1',
    PARTWAY_S3_BUCKET: bucket,
    PARTWAY_S3_KEY_PREFIX: '',
    PARTWAY_S3_ACCESS_KEY_ID: user.accessKeyId,
    PARTWAY_S3_SECRET_ACCESS_KEY: user.secretAccessKey,
  });

  it('creates bucket and user, succeeds when it runs again, and shows no secret', async () => {
    const user = randomCredentials();
    const bucket = `test-${user.accessKeyId}`;
    const env = settings(bucket, user);
    for (const output of [await run(env), await run(env)]) {
      expect(output).toBe(`The bucket ${bucket} and the control plane's user are ready.\n`);
    }
    const client = clientOf({ ...sharedMinio(), ...user });
    expect(await outcome(client.send(new ListMultipartUploadsCommand({ Bucket: bucket })))).toBe('yes');
  });

  it('says what is missing, and exits with 1', async () => {
    const { MINIO_ROOT_PASSWORD: _, ...env } = settings('b', randomCredentials());
    expect(await run(env)).toBe('1: MINIO_ROOT_PASSWORD is not set\n');
  });

  it('refuses to give the control plane the root key', async () => {
    expect(await run(settings(await createTestBucket(), sharedMinio()))).toMatch(
      /^1: The control plane cannot be MinIO's root user/,
    );
  });
});
