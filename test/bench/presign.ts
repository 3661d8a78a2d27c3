import { startMinio } from '../../src/dev/minio/minio.ts';
import { createS3ObjectStore } from '../../src/object-store/s3.ts';
import { createAuthenticate } from '../../src/server/access/auth.ts';
import { createApp } from '../../src/server/app.ts';
import { noAudit } from '../../src/server/audit/event.ts';
import { createMetrics } from '../../src/server/metrics/metrics.ts';
import { createService } from '../../src/server/service.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { ADDRESS, ADMIN_CALLER, ADMIN_TOKEN, POLICY } from '../support/server/control-plane.ts';
import { createRestrictedUser } from '../support/store/minio.ts';

const BATCH = 100;
const WARM_UP_BATCHES = 100;
const silent = { info() {}, warn() {}, error() {} };

/**
 * npm run bench:presign [-- 500]: signs that many batches of 100 part URLs with checksums, one after another, inside the service and through
 * the whole app without a socket. They are signed by an STS session of a real MinIO, whose token is in every URL.
 */
export async function run([batches = '500']: readonly string[]): Promise<void> {
  const minio = await startMinio({ log: console.error, bucket: 'uploads' });
  const user = await createRestrictedUser('uploads', '', minio);
  const signing = { kind: 'sts', urlTtlSeconds: POLICY.urlTtlSeconds } as const;
  const objects = createS3ObjectStore({ ...user, publicEndpoint: user.endpoint, bucket: 'uploads', signing });
  const sessions = openSqliteStore(':memory:');
  try {
    const deps = { sessions, objects, now: Date.now, newSessionId: () => 'ses_bench', policy: POLICY, log: silent };
    const metrics = createMetrics({ sessions, hasWebhook: false, now: Date.now, log: silent, version: '0.0.0' });
    const service = createService({ ...deps, objects: metrics.measureStore(objects) }, noAudit, metrics.sessions);
    const app = createApp({
      service,
      authenticate: createAuthenticate(sessions, ADMIN_TOKEN, Date.now),
      audit: noAudit,
      addressOf: () => ADDRESS,
      log: silent,
      metrics,
      version: '0.0.0',
      shutdown: new AbortController().signal,
    });
    const { session } = await service.create(ADMIN_CALLER, {
      fileName: 'a film, with ü & (more).mkv',
      size: BATCH * 8 * MiB,
      strategy: 'multipart',
      partSize: 8 * MiB,
    });
    const partNumbers = Array.from({ length: BATCH }, (_, index) => index + 1);
    const checksums = Object.fromEntries(partNumbers.map((partNumber) => [partNumber, 'AAAAAA==']));
    const request = { partNumbers, checksums };

    console.log('| | URLs/s | batch of 100: median | p99 |\n|---|---|---|---|');
    await measure('service', Number(batches), () => service.presign(ADMIN_CALLER, session.sessionId, request));
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
    const body = JSON.stringify(request);
    await measure('app', Number(batches), async () => {
      const path = `/api/uploads/${session.sessionId}/parts/presign`;
      const response = await app.request(path, { method: 'POST', headers, body });
      if (response.status !== 200) throw new Error(await response.text());
      await response.text();
    });
  } finally {
    objects.close();
    await sessions.close();
    await minio.stop();
  }
}

async function measure(name: string, batches: number, presign: () => Promise<unknown>): Promise<void> {
  for (let warmUp = 0; warmUp < WARM_UP_BATCHES; warmUp++) await presign();
  const took: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const startedAt = performance.now();
    await presign();
    took.push(performance.now() - startedAt);
  }
  const total = took.reduce((sum, ms) => sum + ms, 0);
  took.sort((a, b) => a - b);
  const at = (share: number) => (took[Math.floor(share * (took.length - 1))] ?? 0).toFixed(1);
  console.log(`| ${name} | ${Math.round((BATCH * batches * 1000) / total)} | ${at(0.5)} ms | ${at(0.99)} ms |`);
}
