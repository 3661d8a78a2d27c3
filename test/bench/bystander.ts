import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { PATHS, pathOf } from '../../src/contract/paths.ts';
import type * as wire from '../../src/contract/wire.ts';
import { startMinio } from '../../src/dev/minio/minio.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { startCli } from '../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../support/server/control-plane-process.ts';

const SECONDS = 10;
const CONNECTIONS = 6;
const BODY_BYTES = 2 * MiB;

/** A session of 10,000 parts may send the largest bodies that the server accepts. */
const PART_COUNTS = { few: 1, most: 10_000 } as const;

const LOADS: readonly Load[] = [
  { name: 'presign, 160,000 wrong checksums', template: PATHS.presign, parts: 'few', body: wrongChecksums() },
  { name: 'report, nested arrays', template: PATHS.report, parts: 'few', body: `{"parts":${'['.repeat(BODY_BYTES - 20)}` },
  { name: 'report, unknown keys', template: PATHS.report, parts: 'few', body: unknownKeys(BODY_BYTES) },
  { name: 'presign, as large as it may be', template: PATHS.presign, parts: 'few', body: unknownKeys(64 * 1_024) },
  { name: 'report of 10,000 parts, nested arrays', template: PATHS.report, parts: 'most', body: nested(2_000_000) },
  { name: 'report of 10,000 parts, unknown keys', template: PATHS.report, parts: 'most', body: unknownKeys(2_000_000) },
];

interface Load {
  readonly name: string;
  readonly template: typeof PATHS.presign | typeof PATHS.report;
  readonly parts: keyof typeof PART_COUNTS;
  readonly body: string;
}

/**
 * npm run bench:bystander: measures how long creates of one token take while a capability of another token sends refused bodies over six
 * connections, for ten seconds each.
 */
export async function run(): Promise<void> {
  const minio = await startMinio({ log: console.error, bucket: 'uploads' });
  try {
    const controlPlane = await startControlPlane({ store: minio, bucket: 'uploads', env: { PARTWAY_AUDIT_LOG: 'off' } });
    try {
      const bystander = await createToken(controlPlane, 'bystander');
      report('nothing else', await measure(controlPlane, bystander, async () => ({})));
      for (const load of LOADS) report(load.name, await measureUnder(load, controlPlane, bystander));
    } finally {
      await controlPlane.stop();
    }
  } finally {
    await minio.stop();
  }
}

async function measureUnder(load: Load, controlPlane: ControlPlaneProcess, bystander: string): Promise<Measured> {
  const owner = await createToken(controlPlane, `owner-${LOADS.indexOf(load)}`);
  const { sessionId } = await create(
    controlPlane.server,
    owner,
    `load-${LOADS.indexOf(load)}`,
    PART_COUNTS[load.parts] * 5 * MiB,
  );
  const answer = await ask(controlPlane.server, owner, pathOf(PATHS.capabilities, sessionId), '{}');
  const { token } = JSON.parse(answer.text) as wire.Capability;
  return measure(controlPlane, bystander, async (until) => {
    const statuses: Record<string, number> = {};
    const agent = new Agent({ keepAlive: true });
    const path = pathOf(load.template, sessionId);
    const send = async () => {
      while (performance.now() < until) {
        const { status } = await ask(controlPlane.server, token, path, load.body, agent).catch(() => ({ status: 'closed' }));
        statuses[status] = (statuses[status] ?? 0) + 1;
        // Acts like a client that waits a little, but ignores Retry-After.
        if (status === 429 || status === 413 || status === 'closed') await wait(5);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, send));
    agent.destroy();
    return statuses;
  });
}

interface Measured {
  readonly ms: readonly number[];
  readonly statuses: Record<string, number>;
}

async function measure(
  { server }: ControlPlaneProcess,
  token: string,
  load: (until: number) => Promise<Record<string, number>>,
): Promise<Measured> {
  const until = performance.now() + SECONDS * 1_000;
  const loading = load(until);
  const ms: number[] = [];
  while (performance.now() < until) {
    const startedAt = performance.now();
    await create(server, token, `bystander-${startedAt}`, 1);
    ms.push(performance.now() - startedAt);
    await wait(20);
  }
  return { ms: ms.sort((a, b) => a - b), statuses: await loading };
}

function report(name: string, { ms, statuses }: Measured): void {
  const at = (share: number) => `${(ms[Math.floor((ms.length - 1) * share)] ?? 0).toFixed(0)} ms`;
  console.log(
    `${name}: ${ms.length} creates, median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}; answers ${JSON.stringify(statuses)}`,
  );
}

async function create(server: string, token: string, key: string, size: number): Promise<wire.Session> {
  const plan = size > 5 * MiB ? { strategy: 'multipart', partSize: 5 * MiB } : {};
  const { status, text } = await ask(server, token, PATHS.uploads, JSON.stringify({ fileName: 'a', key, size, ...plan }));
  if (status !== 201) throw new Error(`create answered ${status}: ${text}`);
  return JSON.parse(text) as wire.Session;
}

function ask(
  server: string,
  token: string,
  path: string,
  body: string,
  agent?: Agent,
): Promise<{ status: number; text: string }> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const asked = request(`${server}${path}`, { method: 'POST', headers, agent }, (response) => {
      let text = '';
      response.on('error', reject);
      response.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function createToken(controlPlane: ControlPlaneProcess, name: string): Promise<string> {
  const { stdout } = await startCli(['token', 'create', '--name', name], {
    server: controlPlane.server,
    token: '',
    env: controlPlane.machineEnv,
  }).finished;
  return stdout.trim();
}

function wrongChecksums(): string {
  const entries = Array.from({ length: 160_000 }, (_, index) => `"x${index}":0`);
  return `{"partNumbers":[1],"checksums":{${entries.join(',')}}}`;
}

function nested(bytes: number): string {
  return `{"clientId":"c","parts":[${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}]}`;
}

function unknownKeys(bytes: number): string {
  const entries: string[] = [];
  for (let length = 0; length < bytes - 40; length += entries.at(-1)?.length ?? 0) entries.push(`,"${entries.length}":0`);
  return `{"clientId":"c"${entries.join('')}}`;
}
