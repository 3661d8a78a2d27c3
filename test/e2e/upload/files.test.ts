import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { runCli, summaryOf } from '../../support/client/partway-cli.ts';
import { aLargeFolder } from '../../support/files/large-folder.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, removeLargeObject, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const MB = 1000 ** 2;

describe('files of every size and name', () => {
  let folder: string;
  let bucket: string;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = aLargeFolder();
    bucket = await createTestBucket();
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket });
  });
  afterAll(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function uploadAndCompare(name: string, flags: readonly string[] = []) {
    const result = await runCli(['upload', join(folder, name), '--json', ...flags], controlPlane);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(await hashOfObject(sharedMinio(), bucket, name)).toBe(await hashOfFile(join(folder, name)));
    const strategy = result.events.find((event) => event.type === 'session')?.session as { strategy: string; partCount: number };
    return { summary: summaryOf(result), plan: [strategy.strategy, strategy.partCount] };
  }

  // test/session/strategy.test.ts checks which strategy a size gets on which network; here each strategy is tried.
  it.each([
    ['0 bytes', 0, [], 'single', 1],
    ['1 byte', 1, [], 'single', 1],
    ['exactly one part', 8 * MiB, ['--strategy', 'multipart'], 'multipart', 1],
    ['one part and one byte', 8 * MiB + 1, ['--strategy', 'multipart'], 'multipart', 2],
    ['exactly one chunk', 10 * MiB, ['--strategy', 'chunked'], 'chunked', 1],
    ['one chunk and one byte', 10 * MiB + 1, ['--strategy', 'chunked'], 'chunked', 2],
    ['one byte below 100 MB', 100 * MB - 1, ['--network', 'unreliable'], 'single', 1],
    ['exactly 100 MB on a reliable network', 100 * MB, ['--network', 'reliable'], 'single', 1],
    ['exactly 100 MB on an unreliable network', 100 * MB, ['--network', 'unreliable'], 'chunked', 10],
    ['one byte above 1 GB', 1000 * MB + 1, [], 'multipart', 120],
  ])('uploads %s', async (name, size, flags, strategy, partCount) => {
    await ensureGeneratedFile(join(folder, name), size);

    const { summary, plan } = await uploadAndCompare(name, flags);

    expect(plan).toStrictEqual([strategy, partCount]);
    expect(summary).toMatchObject({ status: 'completed', bytes: size, bytesSent: size });
    // Makes room for the next file.
    truncateSync(join(folder, name), 0);
    await removeLargeObject(bucket, name);
  });

  it.each([
    'with spaces  and + plus.mp4',
    "quotes ' and (brackets) & * !.mov",
    '100%25 percent #hash ?question.mp4',
    'Grüße – 日本語 – 🎬.mp4',
    'e\u0301 decomposed.mp4',
    '-starts-with-a-dash.mp4',
    `${'n'.repeat(251)}.mp4`,
  ])('stores %s under exactly this name', async (name) => {
    writeFileSync(join(folder, name), `contents of ${name}`);

    const { summary } = await uploadAndCompare(name);

    expect(summary.key).toBe(name);
  });

  it('sends nothing when the same file is uploaded again', async () => {
    writeFileSync(join(folder, 'twice.mp4'), 'the same');
    const first = await uploadAndCompare('twice.mp4');

    const second = await uploadAndCompare('twice.mp4');

    expect(second.summary).toMatchObject({ sessionId: first.summary.sessionId, bytesSent: 0, status: 'completed' });
  });

  it('refuses to replace an object before a byte is sent, and replaces it with --overwrite', async () => {
    writeFileSync(join(folder, 'taken.mp4'), 'first contents');
    await uploadAndCompare('taken.mp4');
    writeFileSync(join(folder, 'taken.mp4'), 'other contents');

    const refused = await runCli(['upload', join(folder, 'taken.mp4'), '--json'], controlPlane);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.events.at(-1)).toMatchObject({ type: 'error', code: 'OBJECT_EXISTS' });
    expect(refused.stderr).toContain('--overwrite');
    const { summary } = await uploadAndCompare('taken.mp4', ['--overwrite']);

    expect(summary.bytesSent).toBe(14);
  });
});
