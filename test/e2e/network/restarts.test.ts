import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { type CliEvent, startCli } from '../../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject, testSeed } from '../../support/store/stored-bytes.ts';

const FILES = ['a.mov', 'b.mov', 'c.mov'];
const PARTS_PER_FILE = 4;
const PART = 5 * MiB;
const RESTARTS = 5;

describe('three files, one after another', () => {
  let folder: string;
  let bucket: string;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    for (const name of FILES) await ensureGeneratedFile(join(folder, name), PARTS_PER_FILE * PART, name);
    bucket = await createTestBucket();
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket });
  });
  afterAll(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are uploaded although the control plane is killed five times: before the first file, between files, and during files', async () => {
    const seed = testSeed();
    const partOfFile = (file: number) => file * PARTS_PER_FILE + 1 + (digestOf(seed, file) % (PARTS_PER_FILE - 1));
    /** Each event that ends the control plane, by type and number. */
    const deaths = [
      { type: 'part', number: partOfFile(0) },
      { type: 'summary', number: 1 },
      { type: 'part', number: partOfFile(1) },
      digestOf(seed, 3) % 2 === 0 ? { type: 'summary', number: 2 } : { type: 'part', number: partOfFile(2) },
    ];
    await controlPlane.kill();
    const flags = ['--json', '--strategy', 'multipart', '--part-size', '5MiB', '--limit', '10MiB', '--max-outage', '3m'];
    const cli = startCli(['upload', ...FILES, ...flags], { ...controlPlane, cwd: folder });
    const outageSince = (instant: number) => cli.event((event) => event.type === 'offline' && Number(event.since) >= instant);
    await outageSince(0);
    await controlPlane.restart();
    let restarts = 1;
    for (const { type, number } of deaths) {
      await cli.event(numbered(type, number));
      const diedAt = Date.now();
      await controlPlane.kill();
      await outageSince(diedAt);
      await controlPlane.restart();
      restarts += 1;
    }
    const result = await cli.finished;
    expect(result.exitCode, `seed ${seed}: ${result.stderr}`).toBe(0);
    expect(restarts).toBe(RESTARTS);
    expect(result.stderr).toContain(`waiting for the partway server at ${controlPlane.server} (cannot be reached: ECONNREFUSED)`);
    for (const name of FILES)
      expect(await hashOfObject(sharedMinio(), bucket, name), name).toBe(await hashOfFile(join(folder, name)));
  });
});

/** Returns a number that looks random and is the same for the same seed. */
function digestOf(seed: number, draw: number): number {
  return createHash('sha256').update(`${seed}:${draw}`).digest().readUInt32BE();
}

/** Resolves with the `number`th event of this type, from 1. */
function numbered(type: string, number: number): (event: CliEvent) => boolean {
  let seen = 0;
  return (event) => event.type === type && ++seen === number;
}
