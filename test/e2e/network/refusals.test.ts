import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMinio } from '../../../src/dev/minio/minio.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { type CliResult, newStateHome, runCli, startCli } from '../../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { skipBecause } from '../../support/skip-because.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const NOBODY = 65_534;

describe('an upload that cannot work is refused with what happened, what it means and what to type next', () => {
  let folder: string;
  let bucket: string;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'film.mp4'), 'a film');
    bucket = await createTestBucket();
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket });
  });
  afterAll(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function expectRefusal(result: CliResult, exitCode: number, ...texts: string[]) {
    expect(result.exitCode, result.stderr).toBe(exitCode);
    for (const text of texts) expect(result.stderr).toContain(text);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  }

  it('a directory', async () => {
    mkdirSync(join(folder, 'reels'));

    expectRefusal(await runCli(['upload', join(folder, 'reels')], controlPlane), 3, 'is a directory', 'partway upload');
  });

  it('a missing file', async () => {
    expectRefusal(await runCli(['upload', join(folder, 'missing.mp4')], controlPlane), 3, 'There is no file', 'missing.mp4');
  });

  it('an unreadable file', async () => {
    const path = join(folder, 'secret.mp4');
    writeFileSync(path, 'not for everybody', { mode: 0o000 });
    const stateHome = newStateHome();
    chmodSync(stateHome, 0o777);

    // Root can read every file, so another user tries if this process is root.
    const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    expectRefusal(
      await runCli(['upload', path], { ...controlPlane, stateHome, ...identity }),
      3,
      'cannot be opened',
      'permissions',
    );
  });

  it('a wrong token', async () => {
    const result = await runCli(['upload', join(folder, 'film.mp4')], { ...controlPlane, token: 'pw_wrong-but-long-enough' });

    expectRefusal(result, 6, 'token', 'PARTWAY_TOKEN');
    expect(result.stderr + result.stdout).not.toContain('pw_wrong-but-long-enough');
  });

  it('a server that is down for longer than --max-outage', async () => {
    const server = `http://127.0.0.1:${await freePort()}`;
    const upload = ['upload', join(folder, 'film.mp4'), '--max-outage', '1s'];

    expectRefusal(await runCli(upload, { ...controlPlane, server }), 5, server, 'partway serve');
  });

  it('a bucket that does not exist', async () => {
    const elsewhere = await startControlPlane({ store: sharedMinio(), bucket: 'no-such-bucket', untilReady: false });
    try {
      expectRefusal(await runCli(['upload', join(folder, 'film.mp4')], elsewhere), 7, 'bucket', 'PARTWAY_S3_BUCKET');
    } finally {
      await elsewhere.stop();
    }
  });

  it('an unknown session', async () => {
    expectRefusal(
      await runCli(['resume', 'ses_unknown', join(folder, 'film.mp4')], controlPlane),
      9,
      'ses_unknown',
      'partway list',
    );
  });

  it('a file that is not the one with which the session began', async () => {
    const { sessionId, path, stateHome } = await interruptedUpload('original.mp4');
    writeFileSync(path, 'something else');

    expectRefusal(await runCli(['resume', sessionId, path], { ...controlPlane, stateHome }), 4, sessionId, 'partway abort');
  });

  it('a file of the same size and time with one changed byte in a stored part, without a journal that vouches for the part', async () => {
    const { sessionId, path } = await interruptedUpload('flipped.mp4');
    const { atime, mtime } = statSync(path);
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.from([0xff]), 0, 1, 3 * MiB + 17);
    utimesSync(path, atime, mtime);

    const result = await runCli(['resume', sessionId, path, '--json'], controlPlane);

    expectRefusal(result, 4, 'part 1 has other bytes', 'partway abort');
    const status = await runCli(['status', sessionId, '--json'], controlPlane);
    expect(JSON.parse(status.stdout)).toMatchObject({ session: { status: 'open' } });
  });

  it('a file for which the store has no room; it is resumed once there is room', async (context) => {
    const disk = join(folder, 'small-disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      skipBecause(context, 'mounting a small file system needs root');
    }
    const minio = await startMinio({ log: () => {}, bucket: 'uploads', dataDir: disk });
    const onSmallDisk = await startControlPlane({ store: minio, bucket: 'uploads' });
    try {
      const path = join(folder, 'too-big.mp4');
      await ensureGeneratedFile(path, 200 * MiB);
      const full = await runCli(['upload', path, '--strategy', 'multipart', '--json'], onSmallDisk);
      expectRefusal(full, 7, 'no space', 'partway resume');
      const { sessionId } = full.events.at(-1) as unknown as { sessionId: string };

      execFileSync('mount', ['-o', 'remount,size=1g', disk]);
      // MinIO notices new room within a second or at its next start.
      await minio.restart();
      const resumed = await runCli(['resume', sessionId, path, '--json'], onSmallDisk);

      expect(resumed.exitCode, resumed.stderr).toBe(0);
      expect(Number(resumed.events.at(-1)?.bytesSent)).toBeLessThan(200 * MiB);
    } finally {
      await onSmallDisk.stop();
      await minio.stop();
      execFileSync('umount', [disk]);
    }
  });

  /** Uploads 24 MiB in three parts, and interrupts with SIGKILL once the first part is stored. */
  async function interruptedUpload(name: string) {
    const path = join(folder, name);
    await ensureGeneratedFile(path, 24 * MiB);
    const stateHome = newStateHome();
    const cli = startCli(['upload', path, '--strategy', 'multipart', '--concurrency', '1', '--limit', '8MiB', '--json'], {
      ...controlPlane,
      stateHome,
    });
    const session = await cli.event((event) => event.type === 'session');
    await cli.event((event) => event.type === 'part');
    cli.child.kill('SIGKILL');
    await cli.finished;
    return { sessionId: (session.session as { sessionId: string }).sessionId, path, stateHome };
  }
});
