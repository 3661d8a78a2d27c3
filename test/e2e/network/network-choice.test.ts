import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { MiB } from '../../../src/session/part-plan.ts';
import { newStateHome, runCli, startCli } from '../../support/client/partway-cli.ts';
import { startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

describe('--network auto, for a file between 100 MB and 1 GB', () => {
  let folder: string;
  let file: string;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    file = join(folder, 'film.mp4');
    const fd = openSync(file, 'w');
    ftruncateSync(fd, 150 * 1000 ** 2);
    closeSync(fd);
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket() });
  });
  afterAll(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts an upload, reads its choice and the reason, and kills it. */
  async function choiceOf(key: string, options: { server?: string; stateHome?: string } = {}) {
    const cli = startCli(['upload', file, '--key', key, '--json'], { ...controlPlane, ...options });
    const choice = await cli.event((event) => event.type === 'strategy');
    const { session } = (await cli.event((event) => event.type === 'session')) as unknown as { session: { strategy: string } };
    cli.child.kill('SIGKILL');
    const { stderr } = await cli.finished;
    return { strategy: session.strategy, choice: JSON.stringify(choice), stderr };
  }

  it('takes one PUT on a network that answers every probe', async () => {
    const { strategy, choice } = await choiceOf('good.mp4');

    expect(strategy).toBe('single');
    expect(choice).toContain('reliable');
  });

  it('takes chunks after an upload to this server was interrupted, and says so', async () => {
    const stateHome = newStateHome();
    await choiceOf('interrupted.mp4', { stateHome });

    const { strategy, choice } = await choiceOf('after-interruption.mp4', { stateHome });

    expect(strategy).toBe('chunked');
    expect(choice).toMatch(/interrupted/);
  });

  it('takes chunks if one probe in five is lost, and says so', async () => {
    const lossy = await startByteProxy(controlPlane.server, { drops: (connection) => connection % 5 === 3 });
    try {
      const { strategy, choice } = await choiceOf('lossy.mp4', { server: lossy.url });

      expect(strategy).toBe('chunked');
      expect(choice).toMatch(/probe/);
    } finally {
      await lossy.close();
    }
  });
});

describe('the part size', () => {
  it('follows the speed to this server that an earlier upload from this host measured', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    const controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket() });
    onTestFinished(async () => {
      await controlPlane.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const stateHome = newStateHome();
    const partSizeOf = async (name: string, size: number, flags: readonly string[]) => {
      truncateSync(join(folder, name), size);
      const result = await runCli(['upload', join(folder, name), '--strategy', 'multipart', '--json', ...flags], {
        ...controlPlane,
        stateHome,
      });
      const event = result.events.find(({ type }) => type === 'session') as unknown as { session: { partSize: number } };
      return event.session.partSize;
    };
    for (const name of ['slow.mp4', 'fast.mp4', 'next.mp4']) closeSync(openSync(join(folder, name), 'w'));
    expect(await partSizeOf('slow.mp4', 40 * MiB, [])).toBe(8 * MiB);
    // Loopback gives the largest part size, or nearly the largest on a busy host.
    expect(await partSizeOf('fast.mp4', 40 * MiB, ['--limit', '12MiB'])).toBeGreaterThan(8 * MiB);
    expect(await partSizeOf('next.mp4', 40 * MiB, [])).toBeLessThanOrEqual(13 * MiB);
  });
});
