import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningMinio, startMinio } from '../../../src/dev/minio/minio.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { type ByteProxy, startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

/** Longer than the time-outs of a call to the control plane and of an answer of the store, so that every kind of wait ends within it. */
const LONG_OUTAGE_MS = 25_000;
const SHORT_OUTAGE_MS = 8_000;
const SIZE = 96 * MiB;

describe('a running upload, without intervention', () => {
  let folder: string;
  let minio: RunningMinio;
  let proxy: ByteProxy;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    await ensureGeneratedFile(join(folder, 'film.mp4'), SIZE);
    // Not the shared MinIO, because this one is killed.
    minio = await startMinio({ log: () => {}, bucket: 'uploads' });
    proxy = await startByteProxy(minio.endpoint, { bytesPerSecond: 4 * MiB });
    controlPlane = await startControlPlane({ store: minio, bucket: 'uploads', publicEndpoint: proxy.url });
  });
  afterAll(async () => {
    await controlPlane.stop();
    await proxy.close();
    await minio.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('survives that first the control plane and then MinIO are killed and started again after a while', async () => {
    const cli = startCli(['upload', 'film.mp4', '--strategy', 'multipart', '--json'], { ...controlPlane, cwd: folder });
    const partsStored = (count: number) => {
      let parts = 0;
      return cli.event((event) => event.type === 'part' && ++parts >= count);
    };

    await partsStored(3);
    await controlPlane.kill();
    await wait(SHORT_OUTAGE_MS);
    await controlPlane.restart();
    await partsStored(6);
    await minio.kill();
    await wait(LONG_OUTAGE_MS);
    await minio.restart();
    const result = await cli.finished;

    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    expect(result.events.filter((event) => event.type === 'offline').length).toBeGreaterThan(0);
    expect(await hashOfObject(minio, 'uploads', 'film.mp4')).toBe(await hashOfFile(join(folder, 'film.mp4')));
  });
});
