import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { ControlPlane } from '../../../src/client/index.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import {
  type CliEvent,
  type CliResult,
  newStateHome,
  type RunningCli,
  runCli,
  startCli,
  summaryOf,
} from '../../support/client/partway-cli.ts';
import { changeUnseen, seededBytes, writeOldFile } from '../../support/client/sources.ts';
import { mountFat, mountWithoutChangeTime } from '../../support/files/file-systems.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const SIZE = 48 * MiB;
/** An offset in the first part, between the samples of the fingerprint. */
const UNSAMPLED = 70_000;
/** Options of an upload that is slow enough for a change after the first parts. */
const SLOWLY = ['--strategy', 'multipart', '--part-size', '5MiB', '--concurrency', '2', '--limit', '8MiB'];

let bucket: string;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  bucket = await createTestBucket();
  controlPlane = await startControlPlane({ store: sharedMinio(), bucket });
});
afterAll(() => controlPlane.stop());

async function ownFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let files = 0;

/** Creates a file with its own key, and one journal for all commands on it. */
async function aFile(folder: string) {
  const key = `changed-${++files}.mov`;
  const path = join(folder, key);
  await writeOldFile(path, seededBytes(SIZE, 90 + files));
  const options = { ...controlPlane, stateHome: newStateHome() };
  onTestFinished(() => rmSync(options.stateHome, { recursive: true, force: true }));
  return {
    key,
    path,
    start: (...args: string[]) => {
      const cli = startCli([...args, '--json'], options);
      onTestFinished(() => void cli.child.kill('SIGKILL'));
      return cli;
    },
    run: (...args: string[]) => runCli(args, options),
  };
}

async function untilParts(cli: RunningCli, count: number): Promise<void> {
  let parts = 0;
  await cli.event(({ type }) => type === 'part' && ++parts >= count);
}

async function killedAfter(cli: RunningCli, parts: number): Promise<string> {
  const { session } = (await cli.event(({ type }) => type === 'session')) as CliEvent & { session: { sessionId: string } };
  await untilParts(cli, parts);
  cli.child.kill('SIGKILL');
  await cli.finished;
  return session.sessionId;
}

function expectChanged(result: CliResult): void {
  expect(result.exitCode, result.stderr).toBe(4);
  expect(result.events.at(-1)).toMatchObject({ type: 'error', code: 'SOURCE_CHANGED' });
  expect(result.stdout).not.toContain('"proof"');
}

describe.each<[string, (context: TestContext) => Promise<string>]>([
  ['holds the temporary files of this host', ownFolder],
  ['comes from FUSE, without a change time of its own', mountWithoutChangeTime],
  ['is FAT', mountFat],
])('on the file system that %s, a file whose size and modification time are restored', (_, folderOf) => {
  it('is not completed if a stored part changed after a kill -9, because resume compares the part', async (context) => {
    const { path, start, run } = await aFile(await folderOf(context));
    const sessionId = await killedAfter(start('upload', path, ...SLOWLY), 3);
    await changeUnseen(path, UNSAMPLED);

    expectChanged(await run('resume', sessionId, '--json'));

    expect(await new ControlPlane(controlPlane).parts(sessionId)).toMatchObject({ status: 'open' });
  });

  it('is not completed if a stored part changes while the rest is sent', async (context) => {
    const { path, start } = await aFile(await folderOf(context));
    const cli = start('upload', path, ...SLOWLY);
    await untilParts(cli, 3);
    await changeUnseen(path, UNSAMPLED);

    expectChanged(await cli.finished);
  });

  it('is not "already uploaded" if it changed after its upload was completed', async (context) => {
    const { path, run, key } = await aFile(await folderOf(context));
    expect((await run('upload', path)).exitCode).toBe(0);
    const before = await hashOfObject(sharedMinio(), bucket, key);
    await changeUnseen(path, UNSAMPLED);

    const again = await run('upload', path);

    expect(again.exitCode, again.stderr).toBe(4);
    expect(again.stdout).toBe('');
    expect(again.stderr).toContain('the object has other bytes');
    expect(await hashOfObject(sharedMinio(), bucket, key)).toBe(before);
  });

  it('and whose bytes are unchanged is resumed and verified', async (context) => {
    const { path, start, run, key } = await aFile(await folderOf(context));
    const sessionId = await killedAfter(start('upload', path, ...SLOWLY), 3);
    const { storedBytes } = await new ControlPlane(controlPlane).parts(sessionId);

    const resumed = await run('resume', sessionId, '--json');

    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(summaryOf(resumed)).toMatchObject({ proof: 'full', bytesSent: SIZE - storedBytes });
    expect(await hashOfObject(sharedMinio(), bucket, key)).toBe(await hashOfFile(path));
  });
});

describe('an upload', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['touched', (path) => utimes(path, 1_600_000_000, 1_600_000_000)],
    ['made read-only', (path) => chmod(path, 0o444)],
  ])('goes on when its file is %s, and ends verified', async (_, change) => {
    const { path, start, key } = await aFile(await ownFolder());
    const cli = start('upload', path, ...SLOWLY);
    await untilParts(cli, 3);
    await change(path);

    const result = await cli.finished;

    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ proof: 'full', bytesSent: SIZE });
    expect(result.events.filter(({ type }) => type === 'rereading')).not.toEqual([]);
    expect(await hashOfObject(sharedMinio(), bucket, key)).toBe(await hashOfFile(path));
  });

  it('of a file on FUSE says why it reads the file once more', async (context) => {
    const { path, run } = await aFile(await mountWithoutChangeTime(context));

    const { exitCode, stdout, stderr } = await run('upload', path);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/ verified\n$/) });
    expect(stderr).toContain('its file system keeps no change time');
    expect(stderr).toContain('comparing 48.0 MiB of stored parts with the file');
  });

  it.skipIf(process.platform !== 'linux')('of a file that reports 0 bytes but has more does not begin', async () => {
    const { run } = await aFile(await ownFolder());

    const { exitCode, stdout, stderr } = await run('upload', '/proc/cpuinfo', '--key', 'cpuinfo');

    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toContain('says that it has 0 bytes, but more can be read');
  });
});
