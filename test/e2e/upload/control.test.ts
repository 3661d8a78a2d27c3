import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { newStateHome, type RunningCli, runCli, startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { type ByteProxy, startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';
import { startTurnClock } from '../../support/time/turn-clock.ts';

const SIZE = 60 * MiB;

describe('a running upload, from another terminal', () => {
  let folder: string;
  let file: string;
  let bucket: string;
  let proxy: ByteProxy;
  let controlPlane: ControlPlaneProcess;
  let stateHome: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    file = join(folder, 'film.mp4');
    await ensureGeneratedFile(file, SIZE);
    bucket = await createTestBucket();
    proxy = await startByteProxy(sharedMinio().endpoint);
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket, publicEndpoint: proxy.url });
  });
  afterAll(async () => {
    await controlPlane.stop();
    await proxy.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    stateHome = newStateHome();
  });

  const sockets = () => readdirSync(join(stateHome, 'partway', 'control'));
  const other = (...args: string[]) => runCli(args, { ...controlPlane, stateHome });

  /** Starts an upload in parts of 5 MiB, none of which ends by itself at 256 KiB a second. */
  async function startUpload(key: string, limit: string) {
    const args = ['upload', file, '--key', key, '--strategy', 'multipart', '--part-size', '5MiB', '--limit', limit, '--json'];
    const cli = startCli(args, { ...controlPlane, stateHome });
    const { session } = await cli.event(({ type }) => type === 'session');
    const { sessionId } = session as { sessionId: string };
    await cli.event(({ type, inFlightBytes }) => type === 'progress' && Number(inFlightBytes) > 0);
    return { cli, sessionId };
  }

  /** Resolves after `count` new progress events in which nothing is in flight. */
  async function quiet(cli: RunningCli, count = 1): Promise<void> {
    let past = true;
    let seen = 0;
    const found = cli.event((event) => !past && event.type === 'progress' && event.inFlightBytes === 0 && ++seen >= count);
    past = false;
    await found;
  }

  it('is paused and continued: nothing is sent meanwhile, and the object is the file', async () => {
    const { cli, sessionId } = await startUpload('paused.mp4', '256KiB');
    expect((await other('pause', sessionId)).exitCode).toBe(0);
    await cli.event(({ type }) => type === 'paused');
    expect((await other('limit', 'none')).exitCode).toBe(0);
    await quiet(cli);
    const bytesUp = proxy.bytesUp;
    await quiet(cli, 3);
    expect(proxy.bytesUp).toBe(bytesUp);
    expect(bytesUp).toBeLessThan(SIZE);

    expect((await other('continue', sessionId)).exitCode).toBe(0);
    const result = await cli.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE, bytesSent: SIZE });
    const types = result.events.map(({ type }) => type).filter((type) => type !== 'progress' && type !== 'part');
    expect(types).toEqual(['session', 'strategy', 'paused', 'limit', 'resumed', 'finishing', 'summary']);
    expect(result.stderr).toContain('going on after a pause');
    expect(await hashOfObject(sharedMinio(), bucket, 'paused.mp4')).toBe(await hashOfFile(file));
    expect(sockets()).toEqual([]);
  });

  it('shows its limit, and a new limit applies at once, during a part', async () => {
    const { cli } = await startUpload('limited.mp4', '256KiB');
    expect((await other('limit')).stdout).toMatch(/^limit of film\.mp4 \(ses_\w+\): 256 KiB\/s\n$/);
    await other('limit', 'none');
    const result = await cli.finished;
    // The upload would take four minutes at the first limit.
    expect(Number(summaryOf(result).seconds)).toBeLessThan(30);
  });

  it('that is one of several must be named, and the others are not affected', async () => {
    const uploads = [await startUpload('one.mp4', '256KiB'), await startUpload('two.mp4', '256KiB')];
    const { exitCode, stderr } = await other('pause');
    expect(exitCode).toBe(2);
    for (const { sessionId } of uploads) expect(stderr).toContain(`partway pause ${sessionId}   film.mp4`);
    const [first, second] = uploads.map(({ sessionId }) => sessionId);
    await other('pause', String(second), '--json');
    expect((await other('limit', String(first))).stdout).not.toContain('paused');
    for (const { cli } of uploads) cli.child.kill('SIGKILL');
    await Promise.all(uploads.map(({ cli }) => cli.finished));
  });

  it('that was killed -9 no longer counts as running: the other terminal is told to resume it', async () => {
    const { cli, sessionId } = await startUpload('killed.mp4', '256KiB');
    cli.child.kill('SIGKILL');
    await cli.finished;
    expect(sockets()).toHaveLength(1);
    const { exitCode, stderr } = await other('continue', sessionId);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`No client on this machine uploads session ${sessionId}.`);
    expect(stderr).toContain(`Resume:  partway resume ${sessionId}`);
    expect(sockets()).toEqual([]);
  });

  it('ends on Ctrl-C while it is paused, as soon as nothing is in flight, and removes its socket', async () => {
    const { cli, sessionId } = await startUpload('interrupted.mp4', '256KiB');
    await other('pause', sessionId);
    await other('limit', 'none');
    await quiet(cli);
    const elapsedMs = startTurnClock();
    cli.child.kill('SIGINT');
    const { exitCode } = await cli.finished;
    expect(exitCode).toBe(130);
    // The drain time is 5 s.
    expect(elapsedMs()).toBeLessThan(4_000);
    expect(sockets()).toEqual([]);
  });

  it('removes its socket even if a second Ctrl-C ends it at once', async () => {
    const { cli } = await startUpload('ended.mp4', '256KiB');
    cli.child.stderr?.on('data', (text: string) => text.includes('stopping:') && cli.child.kill('SIGINT'));
    cli.child.kill('SIGINT');
    const { exitCode } = await cli.finished;
    expect(exitCode).toBe(130);
    expect(sockets()).toEqual([]);
  });

  it('cannot be taken over by resume while it is paused', async () => {
    const { cli, sessionId } = await startUpload('held.mp4', '256KiB');
    await other('pause');
    const { exitCode, stderr } = await other('resume', sessionId);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`partway continue ${sessionId}`);
    cli.child.kill('SIGKILL');
    await cli.finished;
  });
});
