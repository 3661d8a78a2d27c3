import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { runCli, startCli } from '../../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { readAttributes } from '../../support/store/s3-stores.ts';

const SIZE = 15 * MiB;
const FIRST = ['--tag', 'camera=A'];
const OTHERS = ['--tag', 'camera=B', '--metadata', 'take=2', '--content-type', 'video/x-custom', '--disposition', 'inline'];

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  await ensureGeneratedFile(join(folder, 'film.mp4'), SIZE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let bucket: string;
let controlPlane: ControlPlaneProcess;
beforeEach(async () => {
  bucket = await createTestBucket();
  controlPlane = await startControlPlane({ store: sharedMinio(), bucket });
  onTestFinished(() => controlPlane.stop());
});

const plan = ['--strategy', 'multipart', '--part-size', '5MiB', '--concurrency', '1'];
const upload = (...flags: string[]) => runCli(['upload', 'film.mp4', ...plan, ...flags], { ...controlPlane, cwd: folder });

/** Starts an upload and kills it once the event has come, seconds before the next event. */
async function uploadUntil(type: string, limit: string): Promise<void> {
  const { child, event, finished } = startCli(['upload', 'film.mp4', '--json', ...plan, '--limit', limit, ...FIRST], {
    ...controlPlane,
    cwd: folder,
  });
  await event((candidate) => candidate.type === type);
  child.kill('SIGKILL');
  await finished;
}

it('a second run of a completed upload says what differs and changes nothing; with --overwrite the object gets the changes', async () => {
  expect((await upload(...FIRST)).exitCode).toBe(0);

  const { exitCode, stderr } = await upload(...OTHERS);
  expect(exitCode).toBe(8);
  for (const words of [
    'was uploaded already',
    'camera',
    'take',
    'video/x-custom',
    'inline',
    'Leave out --tag',
    '--key',
    '--overwrite',
  ])
    expect(stderr).toContain(words);
  expect(await readAttributes(bucket, 'film.mp4')).toMatchObject({ tags: { camera: 'A' }, contentType: 'video/mp4' });

  expect((await upload(...FIRST)).exitCode).toBe(0);
  expect((await upload(...OTHERS, '--overwrite')).exitCode).toBe(0);
  expect(await readAttributes(bucket, 'film.mp4')).toMatchObject({
    tags: { camera: 'B' },
    contentType: 'video/x-custom',
    contentDisposition: 'inline; filename=film.mp4',
  });
});

it('a second run of an upload that was killed half-way says what differs, and goes on if the flags are left out', async () => {
  await uploadUntil('part', '1MiB');

  const { exitCode, stderr } = await upload(...OTHERS);
  expect(exitCode).toBe(8);
  for (const words of ['is partly stored already', 'Leave out --tag', 'partway abort ses_']) expect(stderr).toContain(words);

  expect((await upload()).exitCode).toBe(0);
  expect(await readAttributes(bucket, 'film.mp4')).toMatchObject({ tags: { camera: 'A' }, contentType: 'video/mp4' });
});

it('a second run of an upload that was killed before anything was stored uses the new attributes', async () => {
  await uploadUntil('session', '100KiB');

  expect((await upload(...OTHERS)).exitCode).toBe(0);
  expect(await readAttributes(bucket, 'film.mp4')).toMatchObject({ tags: { camera: 'B' }, contentType: 'video/x-custom' });
});
