import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import type { Session } from '../../../src/contract/wire.ts';
import { startMinio } from '../../../src/dev/minio/minio.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { hostWithClock, needsShiftedClock } from '../../support/time/shifted-clock.ts';

const DAY = 86_400;
const PARTS = [Buffer.alloc(5 * MiB, 'a'), Buffer.from('the end')] as const;
const FILE = Buffer.concat(PARTS);

/** Starts a control plane and a separate MinIO, each with the clock that the test wants. */
async function startBoth(context: TestContext, env: Readonly<Record<string, string>> = {}) {
  needsShiftedClock(context);
  const { host, setClock } = await hostWithClock(context);
  const minio = await startMinio({ log: () => {}, bucket: 'uploads', host });
  onTestFinished(() => minio.stop());
  const logs = mkdtempSync(join(tmpdir(), 'partway-clock-log-'));
  onTestFinished(() => rmSync(logs, { recursive: true }));
  let ahead = 0;
  let starts = 0;
  const controlPlane = await startControlPlane({
    store: minio,
    bucket: 'uploads',
    clockOffsetSeconds: () => ahead,
    logFile(start) {
      starts = start;
      return join(logs, String(start));
    },
    env,
  });
  onTestFinished(() => controlPlane.stop());
  const api = new ControlPlane(controlPlane);
  return {
    api,
    async restart({ server, store }: { readonly server: number; readonly store: number }) {
      setClock(store);
      await minio.restart();
      ahead = server;
      await controlPlane.restart();
      // A server sweeps at its start.
      await expect.poll(() => metric('partway_sweeps_total{outcome="ok"}'), { timeout: 30_000 }).toBe(1);
    },
    metric,
    log: () => readFileSync(join(logs, String(starts)), 'utf8'),
  };

  async function metric(name: string): Promise<number> {
    const headers = { authorization: `Bearer ${controlPlane.token}` };
    const response = await fetch(`${controlPlane.server}/metrics`, { headers });
    const line = (await response.text()).split('\n').find((candidate) => candidate.startsWith(`${name} `));
    return Number(line?.slice(name.length));
  }
}

async function putPart(api: ControlPlane, { sessionId }: Session, partNumber: 1 | 2): Promise<void> {
  const bytes = PARTS[partNumber - 1] ?? PARTS[0];
  const { parts } = await api.presign(sessionId, { partNumbers: [partNumber], checksums: { [partNumber]: checksumOf(bytes) } });
  expect((await sendRequest('PUT', parts[0]?.url ?? '', parts[0]?.headers ?? {}, bytes)).status).toBe(200);
}

describe.each([
  ['8 days, like its MinIO', 8, 8, 'started'],
  ['4000 days, like its MinIO', 4_000, 4_000, 'started'],
  ['8 days, unlike its MinIO', 8, 0, 'store-differs'],
])('a server that is started once with its clock ahead by %s', (_, serverDays, storeDays, reason) => {
  it('expires nothing and says why, and the upload goes on with every stored part', async (context) => {
    const { api, restart, metric, log } = await startBoth(context);
    const { session } = await api.create({ fileName: 'film', size: FILE.length, strategy: 'multipart', partSize: 5 * MiB });
    await putPart(api, session, 1);

    await restart({ server: serverDays * DAY, store: storeDays * DAY });

    expect(await metric(`partway_expiry_held{reason="${reason}"}`)).toBe(1);
    expect(log()).toContain(`"reason":"${reason}"`);
    expect(await metric('partway_sweep_results_total{result="expired"}')).toBe(0);
    expect(await api.get(session.sessionId)).toMatchObject({ status: 'open' });

    await restart({ server: 0, store: 0 });

    expect((await api.parts(session.sessionId)).parts).toMatchObject([{ partNumber: 1, checksum: checksumOf(PARTS[0]) }]);
    await putPart(api, session, 2);
    const completed = await api.complete(session.sessionId, { checksum: checksumOf(FILE) });
    expect(completed).toMatchObject({ status: 'completed', checksum: checksumOf(FILE) });
  });
});

it('a server whose expiry hold is off expires due sessions at its start, which shows that it goes by the clock of the tests', async (context) => {
  const { api, restart, metric } = await startBoth(context, { PARTWAY_EXPIRY_HOLD: '0s' });
  const { session } = await api.create({ fileName: 'film', size: FILE.length, strategy: 'multipart', partSize: 5 * MiB });
  await putPart(api, session, 1);

  await restart({ server: 8 * DAY, store: 8 * DAY });

  expect(await metric('partway_sweep_results_total{result="expired"}')).toBe(1);
  expect(await api.get(session.sessionId)).toMatchObject({ status: 'expired' });
});
