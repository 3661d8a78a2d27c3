import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { startFaultyLink } from '../../support/proxies/faulty-link.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const SIZE = 30 * MiB;

it('a client that waits for the store finds it at its new address', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  await ensureGeneratedFile(join(folder, 'film.mp4'), SIZE);
  const bucket = await createTestBucket();
  const { hostname: host, port } = new URL(sharedMinio().endpoint);
  const relays = await Promise.all([1, 2].map(() => startFaultyLink({ host, port: Number(port) })));
  const [oldAddress, newAddress] = relays as [(typeof relays)[number], (typeof relays)[number]];
  const options = { store: sharedMinio(), bucket, publicEndpoint: oldAddress.url };
  const controlPlane = await startControlPlane(options);
  onTestFinished(async () => {
    await controlPlane.stop();
    for (const relay of relays) await relay.close();
    rmSync(folder, { recursive: true, force: true });
  });
  oldAddress.bytesPerSecond = 8 * MiB;
  const flags = ['--strategy', 'multipart', '--part-size', '5MiB', '--max-outage', '2m', '--json'];
  const cli = startCli(['upload', 'film.mp4', ...flags], { ...controlPlane, cwd: folder });
  await cli.event(({ type }) => type === 'part');

  await oldAddress.refuse();
  await cli.event(({ type }) => type === 'offline');
  expect(newAddress.connections).toBe(0);
  options.publicEndpoint = newAddress.url;
  await controlPlane.restart();
  const result = await cli.finished;

  expect(result.exitCode, result.stderr).toBe(0);
  expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
  expect(result.events).toContainEqual(
    expect.objectContaining({ type: 'notice', code: 'STORE_MOVED', message: expect.stringContaining(newAddress.url) }),
  );
  expect(result.stderr).toContain(`has moved from ${oldAddress.url} to ${newAddress.url}`);
  expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(join(folder, 'film.mp4')));
});
