import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startMinio } from '../../src/dev/minio/minio.ts';
import { SetupError } from '../../src/dev/process/setup-error.ts';
import { lockFolder } from '../../src/dev/quickstart/folder-lock.ts';
import { chooseSettings, openFolder, type QuickstartFolder, readSettings } from '../../src/dev/quickstart/settings.ts';

const quiet = () => {};

async function aFolder(): Promise<QuickstartFolder> {
  const parent = await mkdtemp(join(tmpdir(), 'partway-test-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return openFolder(join(parent, 'quickstart'));
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

/** The pid of a process that has ended. */
const ENDED_PID = 2 ** 22 + 1;

describe('the settings of the quick start', () => {
  it('can be read only by their owner', async () => {
    const folder = await aFolder();
    await chooseSettings(folder, undefined);
    expect(await modeOf(folder.path)).toBe('700');
    expect(await modeOf(folder.credentials)).toBe('600');
    expect(await modeOf(folder.clientEnv)).toBe('600');
  });

  it('are the same the next time', async () => {
    const folder = await aFolder();
    const first = await chooseSettings(folder, await readSettings(folder));
    expect(await chooseSettings(folder, await readSettings(folder))).toEqual(first);
  });

  it('change a port that another program has taken, and nothing else', async () => {
    const folder = await aFolder();
    const first = await chooseSettings(folder, undefined);
    const other = createServer().listen(first.server.port, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    onTestFinished(() => void other.close());
    const second = await chooseSettings(folder, first);
    expect(second.server.port).not.toBe(first.server.port);
    expect(second).toEqual({ ...first, server: { ...first.server, port: second.server.port } });
  });

  it('of an earlier version get a user for the control plane, and another id for root, because part URLs showed the old one', async () => {
    const folder = await aFolder();
    const { controlPlane: _, ...earlier } = await chooseSettings(folder, undefined);
    await writeFile(folder.credentials, JSON.stringify(earlier));
    const first = await chooseSettings(folder, await readSettings(folder));
    expect(first).toEqual({
      ...earlier,
      minio: { ...first.minio, port: earlier.minio.port },
      controlPlane: first.controlPlane,
    });
    expect(first.minio.accessKeyId).not.toBe(earlier.minio.accessKeyId);
    expect(first.minio.secretAccessKey).not.toBe(earlier.minio.secretAccessKey);
    expect(first.controlPlane.secretAccessKey).not.toBe(first.minio.secretAccessKey);
    expect(await chooseSettings(folder, await readSettings(folder))).toEqual(first);
  });

  it('say what to do if they are damaged', async () => {
    const folder = await aFolder();
    await writeFile(folder.credentials, '{"minio":');
    await expect(readSettings(folder)).rejects.toThrow(`${folder.credentials} is damaged. Delete it`);
  });
});

describe('the lock on the quick start folder', () => {
  it('is refused while another quick start holds it', async () => {
    const folder = await aFolder();
    const lock = await lockFolder(folder, undefined, quiet);
    await expect(lockFolder(folder, undefined, quiet)).rejects.toThrow(SetupError);
    lock.release();
    (await lockFolder(folder, undefined, quiet)).release();
  });

  it('takes over from a killed quick start and ends the MinIO that it left running', async () => {
    const folder = await aFolder();
    const settings = await chooseSettings(folder, undefined);
    const left = await startMinio({
      log: quiet,
      dataDir: folder.objects,
      port: settings.minio.port,
      credentials: settings.minio,
    });
    onTestFinished(() => left.stop());
    await writeFile(folder.runRecord, JSON.stringify({ pid: ENDED_PID, minioPid: left.pid }));

    const lines: string[] = [];
    (await lockFolder(folder, settings, (line) => lines.push(line))).release();
    expect(lines).toEqual([`Ending the MinIO that an earlier quick start left running (process ${left.pid}).`]);
    expect(() => process.kill(left.pid ?? 0, 0)).toThrow('ESRCH');
  });

  it('leaves a process alone that has the recorded process id but does not know our credentials', async () => {
    const folder = await aFolder();
    const settings = await chooseSettings(folder, undefined);
    const stranger = await startMinio({ log: quiet, port: settings.minio.port });
    onTestFinished(() => stranger.stop());
    await writeFile(folder.runRecord, JSON.stringify({ pid: ENDED_PID, minioPid: stranger.pid }));
    (await lockFolder(folder, settings, quiet)).release();
    expect(process.kill(stranger.pid ?? 0, 0)).toBe(true);
  });

  it('does not show credentials in its record', async () => {
    const folder = await aFolder();
    const settings = await chooseSettings(folder, undefined);
    const lock = await lockFolder(folder, settings, quiet);
    await lock.record({ minioPid: 1, serverPid: 2 });
    expect(JSON.parse(await readFile(folder.runRecord, 'utf8'))).toEqual({ pid: process.pid, minioPid: 1, serverPid: 2 });
    lock.release();
  });
});
