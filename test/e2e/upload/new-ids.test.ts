import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ensureControlPlaneAccount } from '../../../src/dev/minio/control-plane-account.ts';
import { startMinio } from '../../../src/dev/minio/minio.ts';
import type { MinioCredentials } from '../../../src/dev/minio/server.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { tryForgery } from '../../../src/forgery/try-forgery.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { anUnguessableId, aSecret, runSetup } from '../../support/store/setup-store.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const BUCKET = 'uploads';
const SIZE = 64 * MiB;

function settingsOf({ accessKeyId, secretAccessKey }: MinioCredentials) {
  return { PARTWAY_S3_ACCESS_KEY_ID: accessKeyId, PARTWAY_S3_SECRET_ACCESS_KEY: secretAccessKey };
}

describe('an upload that runs while the ids at MinIO are changed', () => {
  it('goes on with the parts that the former user stored, once the server is back with its new id', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'partway-new-ids-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const port = await freePort();
    const startOn = async (credentials: MinioCredentials) => {
      const minio = await startMinio({ log: () => {}, dataDir: join(folder, 'data'), port, credentials, bucket: BUCKET });
      onTestFinished(() => minio.stop());
      return minio;
    };
    const former = {
      root: { accessKeyId: 'partway-root', secretAccessKey: aSecret() },
      user: { accessKeyId: 'partway', secretAccessKey: aSecret() },
    };
    const before = await startOn(former.root);
    await ensureControlPlaneAccount(before, { bucket: BUCKET, credentials: former.user });
    const link = await startByteProxy(before.endpoint, { bytesPerSecond: 6 * MiB });
    onTestFinished(() => link.close());
    const env: Record<string, string> = { PARTWAY_S3_SIGNING: 'sts', ...settingsOf(former.user) };
    const controlPlane = await startControlPlane({ store: before, bucket: BUCKET, publicEndpoint: link.url, env });
    onTestFinished(() => controlPlane.stop());
    const file = join(folder, 'film.mp4');
    await ensureGeneratedFile(file, SIZE);
    const cli = startCli(['upload', file, '--strategy', 'multipart', '--json'], controlPlane);
    let parts = 0;
    await cli.event((event) => event.type === 'part' && ++parts >= 3);

    // The order of `docker compose up`: it stops everything that changed, then starts MinIO, `setup` and the control plane.
    await controlPlane.kill();
    await before.stop();
    const after = await startOn({ accessKeyId: anUnguessableId(), secretAccessKey: former.root.secretAccessKey });
    const user = { accessKeyId: anUnguessableId(), secretAccessKey: former.user.secretAccessKey };
    expect(await runSetup(after, user, BUCKET)).toContain('"partway" of an earlier version is disabled');
    Object.assign(env, settingsOf(user));
    await controlPlane.restart();

    const result = await cli.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    // Each part was stored once: no part that the former user had stored was sent again.
    const stored = result.events.filter(({ type }) => type === 'part').map(({ partNumber }) => partNumber);
    expect(stored).toHaveLength(SIZE / (8 * MiB));
    expect(new Set(stored).size).toBe(stored.length);
    expect(await hashOfObject(after, BUCKET, 'film.mp4')).toBe(await hashOfFile(file));
    const { endpoint, region } = after;
    for (const accessKeyId of ['partway', 'partway-root'])
      expect(await tryForgery({ endpoint, region, bucket: BUCKET, keyPrefix: '', accessKeyId, at: new Date() })).toBe(
        'no-such-id',
      );
  });
});
