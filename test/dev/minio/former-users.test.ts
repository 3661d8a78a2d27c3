import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, it, onTestFinished } from 'vitest';
import { minioAdmin } from '../../../src/dev/minio/admin.ts';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';
import { ensureControlPlaneAccount } from '../../../src/dev/minio/control-plane-account.ts';
import { type RunningMinio, startMinio } from '../../../src/dev/minio/minio.ts';
import type { MinioCredentials } from '../../../src/dev/minio/server.ts';
import { tryForgery } from '../../../src/forgery/try-forgery.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { anUnguessableId, aSecret, runSetup } from '../../support/store/setup-store.ts';

const BUCKET = 'uploads';

async function startOn(dataDir: string, credentials: MinioCredentials): Promise<RunningMinio> {
  const minio = await startMinio({ log: () => {}, dataDir, credentials, bucket: BUCKET });
  onTestFinished(() => minio.stop());
  return minio;
}

function forge({ endpoint, region }: S3Target, accessKeyId: string, sessionToken?: string) {
  const session = sessionToken === undefined ? {} : { sessionToken };
  return tryForgery({ endpoint, region, bucket: BUCKET, keyPrefix: '', accessKeyId, ...session, at: new Date() });
}

async function assumeRole({ endpoint, region, accessKeyId, secretAccessKey }: S3Target) {
  const sts = new STSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  onTestFinished(() => sts.destroy());
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: 'arn:x:ignored:by:minio:::', RoleSessionName: 'a' }));
  if (Credentials?.AccessKeyId === undefined || Credentials.SessionToken === undefined) throw new Error('no session');
  return { id: Credentials.AccessKeyId, token: Credentials.SessionToken };
}

describe('the data of a MinIO that ran with the ids of earlier versions of compose.yaml', () => {
  it('accepts forged parts that name those ids, until setup has run with other ids', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'partway-former-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const before = await startOn(dataDir, { accessKeyId: 'partway-root', secretAccessKey: aSecret() });
    const formerUser = { accessKeyId: 'partway', secretAccessKey: aSecret() };
    const server = await ensureControlPlaneAccount(before, { bucket: BUCKET, credentials: formerUser });
    const session = await assumeRole(server);
    expect(await forge(before, 'partway-root')).toBe('open');
    expect(await forge(before, 'partway')).not.toBe('no-such-id');
    await before.stop();

    const after = await startOn(dataDir, { accessKeyId: anUnguessableId(), secretAccessKey: before.secretAccessKey });
    const user = { accessKeyId: anUnguessableId(), secretAccessKey: formerUser.secretAccessKey };
    expect(await forge(after, 'partway')).not.toBe('no-such-id');
    expect(await runSetup(after, user, BUCKET)).toBe(
      `The bucket uploads and the control plane's user are ready.
MinIO's user "partway" of an earlier version is disabled: a forged request in its name was tried and refused.
`,
    );
    expect(await forge(after, 'partway-root')).toBe('no-such-id');
    expect(await forge(after, 'partway')).toBe('no-such-id');
    // Anyone may have seen this session in an earlier part URL.
    expect(['shielded', 'no-such-id']).toContain(await forge(after, session.id, session.token));
    // A later run of setup finds nothing to do.
    expect(await runSetup(after, user, BUCKET)).toBe(`The bucket uploads and the control plane's user are ready.\n`);
  });

  it('disables a user with the name of the former root, too, so that it serves no forgeries', async () => {
    const root = await startMinio({ log: () => {}, bucket: BUCKET });
    onTestFinished(() => root.stop());
    await minioAdmin(root).putUser({ accessKeyId: 'partway-root', secretAccessKey: aSecret() });
    expect(await forge(root, 'partway-root')).not.toBe('no-such-id');
    const user = { accessKeyId: anUnguessableId(), secretAccessKey: aSecret() };
    expect(await runSetup(root, user, BUCKET)).toContain('MinIO\'s user "partway-root" of an earlier version is disabled');
    expect(await forge(root, 'partway-root')).toBe('no-such-id');
  });
});

describe('the setup service of compose.yaml', () => {
  it.each(['minioadmin', 'partway', 'partway-root', 'admin'])(
    'refuses %s as root, and says what to put into .env',
    async (id) => {
      const output = await runSetup(
        { ...sharedMinio(), accessKeyId: id },
        { accessKeyId: anUnguessableId(), secretAccessKey: aSecret() },
        BUCKET,
      );
      expect(output).toMatch(new RegExp(`^1: PARTWAY_MINIO_ROOT_USER is "${id}", which can be guessed\\.`));
      expect(output).toContain('echo "PARTWAY_MINIO_ROOT_USER=$(openssl rand -hex 10)" >> .env');
      expect(output).not.toContain('PARTWAY_S3_ACCESS_KEY_ID');
    },
  );

  it.each(['minioadmin', 'partway', 'partway-root'])(
    "refuses %s as the server's user, before it creates anything",
    async (id) => {
      const bucket = `test-${anUnguessableId()}`;
      const output = await runSetup(sharedMinio(), { accessKeyId: id, secretAccessKey: aSecret() }, bucket);
      expect(output).toContain('echo "PARTWAY_S3_ACCESS_KEY_ID=$(openssl rand -hex 10)" >> .env');
      expect(output).not.toContain('PARTWAY_MINIO_ROOT_USER');
      expect(
        await tryForgery({ ...sharedMinio(), bucket: await createTestBucket(), keyPrefix: '', accessKeyId: id, at: new Date() }),
      ).toBe('no-such-id');
    },
  );
});
