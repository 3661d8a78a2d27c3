import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { type RunningCli, startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { type FaultyLink, startFaultyLink } from '../../support/proxies/faulty-link.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const MAX_OUTAGE_S = 15;
const STOPPED_MS = 20_000;
const DAY_S = 86_400;
/** A module that sets the wall clock of its process three days ahead on SIGUSR2. */
const STEPPING_CLOCK = `
  const real = Date.now;
  let offset = 0;
  Date.now = () => real() + offset;
  process.on('SIGUSR2', () => { offset = 3 * ${DAY_S} * 1000; });
`;

let folder: string;
let link: FaultyLink;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  writeFileSync(join(folder, 'stepping-clock.mjs'), STEPPING_CLOCK);
  const minio = sharedMinio();
  const { hostname, port } = new URL(minio.endpoint);
  link = await startFaultyLink({ host: hostname, port: Number(port) });
  controlPlane = await startControlPlane({ store: minio, bucket: await createTestBucket(), publicEndpoint: link.url });
});
afterEach(() => link.restore());
afterAll(async () => {
  await controlPlane.stop();
  await link.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an outage of the store', () => {
  async function uploadInto(name: string, flags: readonly string[], env: Record<string, string> = {}): Promise<RunningCli> {
    await ensureGeneratedFile(join(folder, name), 30 * MiB, name);
    const args = ['upload', name, '--json', '--strategy', 'multipart', '--part-size', '5MiB', '--limit', '5MiB', ...flags];
    const cli = startCli(args, { ...controlPlane, cwd: folder, env });
    await cli.event((event) => event.type === 'part');
    await link.refuse();
    await cli.event((event) => event.type === 'offline');
    return cli;
  }

  it('does not end an upload whose process was stopped for longer than --max-outage', async () => {
    const cli = await uploadInto('stopped.mov', ['--max-outage', `${MAX_OUTAGE_S}s`]);
    cli.child.kill('SIGSTOP');
    await wait(STOPPED_MS);
    const stillWaiting = nextOffline(cli);
    cli.child.kill('SIGCONT');
    await stillWaiting;
    await link.restore();
    const result = await cli.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result).offlineSeconds).toBeLessThan(STOPPED_MS / 1_000);
  });

  it('is not counted longer when the wall clock is set ahead, and neither is any other time in the result', async () => {
    const env = { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'stepping-clock.mjs'))}` };
    const cli = await uploadInto('stepped.mov', [], env);
    const stillWaiting = nextOffline(cli);
    cli.child.kill('SIGUSR2');
    await stillWaiting;
    // The next one shows the time of the changed clock.
    await nextOffline(cli);
    await link.restore();
    const result = await cli.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    const summary = summaryOf(result);
    expect(summary.seconds).toBeLessThan(DAY_S);
    expect(summary.offlineSeconds).toBeLessThan(DAY_S);
    expect(summary.averageBytesPerSecond).toBeGreaterThan(10_000);
  });
});

it('a wall clock that is set ahead cuts no connection that waits for its answer', async () => {
  // At this rate, the bytes in socket buffers take several seconds, during which the client sends nothing.
  link.bytesPerSecond = MiB;
  const size = 8 * MiB;
  await ensureGeneratedFile(join(folder, 'ahead.mov'), size, 'ahead.mov');
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'stepping-clock.mjs'))}` };
  const cli = startCli(['upload', 'ahead.mov', '--json', '--strategy', 'single'], { ...controlPlane, cwd: folder, env });
  await cli.event((event) => event.type === 'progress' && event.inFlightBytes === size);
  cli.child.kill('SIGUSR2');
  const result = await cli.finished;
  link.bytesPerSecond = undefined;
  expect(result.exitCode, result.stderr).toBe(0);
  expect(summaryOf(result)).toMatchObject({ retries: 0, wastedBytes: 0 });
});

/** Resolves with the next `offline` event, ignoring past ones. */
function nextOffline(cli: RunningCli) {
  let isPast = true;
  const next = cli.event((event) => !isPast && event.type === 'offline');
  isPast = false;
  return next;
}
