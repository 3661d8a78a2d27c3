import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PATHS, pathOf } from '../../src/contract/paths.ts';
import { startMinio } from '../../src/dev/minio/minio.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { findPostgres, startPostgres } from '../support/database/postgres-server.ts';
import { type ControlPlaneProcess, startControlPlane } from '../support/server/control-plane-process.ts';
import { type Ask, createAsk, every, type Latencies } from './load/ask.ts';
import { fillDatabase, type ManySessions, partCountOf, sessionIdOf } from './load/many-sessions.ts';

/** As often as the engine reports. */
const REPORT_EVERY_MS = 1_000;
const URLS_PER_REQUEST = 100;
/** The watchers: they request lists, page after page, and the progress of one session after another. */
const LIST_EVERY_MS = 250;
const PROGRESS_EVERY_MS = 50;
const PAGE = 100;
/** Time until code is compiled, connections are open and hot data is in memory; 200 clients that start at once wait for all of that. */
const WARM_UP_MS = 20_000;
const LOADED = { sessions: 10_000, storedParts: 1_000, overdue: 500 };

const OPTIONS = {
  clients: { type: 'string', default: '200' },
  seconds: { type: 'string', default: '75' },
  sessions: { type: 'string', default: String(LOADED.sessions) },
  /** Parts that each client stores in a second. The engine's part size aims at one: with 8 MiB each, 200 clients fill a link of 13 Gbit/s. */
  parts: { type: 'string', default: '1' },
} as const;

/**
 * npm run bench:load -- sqlite|postgres [--clients 200] [--parts 1] [--seconds 75] [--sessions 10000]: one control plane, on a database of
 * the given number of open sessions of 1,000 stored parts, while clients upload and others watch. The parts themselves are not sent: they
 * would not touch the control plane, and would keep this host busy. Measures the time to the end of each answer, as a client sees it.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const kind = positionals[0];
  if (kind !== 'sqlite' && kind !== 'postgres') throw new Error('Name the database: npm run bench:load -- sqlite|postgres');
  const many = { ...LOADED, sessions: Number(values.sessions), overdue: Number(values.sessions) / 20 };
  const database = kind === 'sqlite' ? sqliteFile() : await postgresServer();
  try {
    const startedAt = performance.now();
    await fillDatabase(database.url, 'uploads', many);
    console.error(`${many.sessions} sessions of ${many.storedParts} parts written in ${seconds(startedAt)} s`);
    const clients = { count: Number(values.clients), partsInReport: Number(values.parts) };
    await measureOn(database.url, many, clients, 1_000 * Number(values.seconds));
  } finally {
    await database.stop();
  }
}

async function measureOn(databaseUrl: string, many: ManySessions, clients: Clients, ms: number): Promise<void> {
  const minio = await startMinio({ log: console.error, bucket: 'uploads' });
  try {
    const env = { PARTWAY_DATABASE_URL: databaseUrl, PARTWAY_RATE_LIMIT: 'off', PARTWAY_AUDIT_LOG: 'off' };
    const controlPlane = await startControlPlane({ store: minio, bucket: 'uploads', env });
    try {
      await measure(controlPlane, many, clients, ms);
    } finally {
      await controlPlane.stop();
    }
  } finally {
    await minio.stop();
  }
}

async function measure(controlPlane: ControlPlaneProcess, many: ManySessions, clients: Clients, ms: number): Promise<void> {
  const latencies: Latencies = new Map();
  const { ask, close } = createAsk(controlPlane, latencies);
  try {
    const first = await untilSwept(ask);
    console.log(
      `first sweep, ${many.overdue} sessions expired: ${first.sweepSeconds.toFixed(1)} s, longest pause ${pauseOf(first)}`,
    );
    const working = [
      ...Array.from({ length: clients.count }, (_, index) => upload(ask, index + 1, clients.partsInReport, many)).flat(),
      every(LIST_EVERY_MS, Math.random() * LIST_EVERY_MS, listPages(ask)),
      every(PROGRESS_EVERY_MS, Math.random() * PROGRESS_EVERY_MS, lookAtProgress(ask, many)),
    ];
    await wait(WARM_UP_MS);
    latencies.clear();
    const before = await readMetrics(ask);
    await wait(ms);
    const last = await readMetrics(ask);
    await Promise.all(working.map((each) => each.stop()));
    show(latencies, ms);
    console.log(
      `longest pause of the event loop ${pauseOf(last)}, at the 99th percentile ${pauseOf(last, '0.99')}; sweeps ${last.sweeps}`,
    );
    const cpu = (100 * 1_000 * (last.cpuSeconds - before.cpuSeconds)) / ms;
    console.log(`CPU of the control plane ${Math.round(cpu)} % of a core`);
    console.log(`resident memory at the most ${Math.round(peakOf(controlPlane.pid) / MiB)} MiB`);
  } finally {
    close();
  }
}

interface Clients {
  readonly count: number;
  readonly partsInReport: number;
}

/** Sends the requests of the `index`th session's client, at times of its own within each second. */
function upload(ask: Ask, index: number, partsInReport: number, many: ManySessions) {
  const sessionId = sessionIdOf(index);
  let next = many.storedParts + 1;
  const report = () => {
    const parts = Array.from({ length: partsInReport }, () => ({
      partNumber: wrap(next++),
      etag: '"5d41402abc4b2a76b9719d911017c592"',
    }));
    const body = { clientId: `client-${index}`, parts, inFlightBytes: 4 * MiB, bytesPerSecond: 16 * MiB };
    return ask('report', { method: 'POST', path: pathOf(PATHS.report, sessionId), body });
  };
  const presign = () => {
    const partNumbers = Array.from({ length: URLS_PER_REQUEST }, (_, ahead) => wrap(next + ahead));
    const checksums = Object.fromEntries(partNumbers.map((partNumber) => [partNumber, 'AAAAAA==']));
    return ask(`presign ${URLS_PER_REQUEST}`, {
      method: 'POST',
      path: pathOf(PATHS.presign, sessionId),
      body: { partNumbers, checksums },
    });
  };
  const presignEveryMs = (REPORT_EVERY_MS * URLS_PER_REQUEST) / partsInReport;
  return [
    every(REPORT_EVERY_MS, Math.random() * REPORT_EVERY_MS, report),
    every(presignEveryMs, Math.random() * presignEveryMs, presign),
  ];

  /** Cycles through the part numbers that are not stored. */
  function wrap(partNumber: number): number {
    const left = partCountOf(many) - many.storedParts;
    return many.storedParts + 1 + ((partNumber - many.storedParts - 1) % left);
  }
}

function listPages(ask: Ask): () => Promise<void> {
  let cursor: string | null = null;
  return async () => {
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await ask(`list ${PAGE}`, { method: 'GET', path: `${PATHS.uploads}?limit=${PAGE}${after}` });
    ({ nextCursor: cursor } = JSON.parse(answer) as { nextCursor: string | null });
  };
}

function lookAtProgress(ask: Ask, { sessions }: ManySessions): () => Promise<unknown> {
  let seen = 0;
  // A prime step, so that each session is far from the previous one.
  return () => ask('progress', { method: 'GET', path: pathOf(PATHS.progress, sessionIdOf(1 + ((seen++ * 7_919) % sessions))) });
}

interface Figures {
  readonly delays: ReadonlyMap<string, number>;
  readonly sweeps: number;
  readonly sweepSeconds: number;
  /** CPU time of the control plane's process, all threads, since its start. */
  readonly cpuSeconds: number;
}

/** Reads the metrics; each reading also starts a new measurement of the pauses. */
async function readMetrics(ask: Ask): Promise<Figures> {
  const text = await ask('metrics', { method: 'GET', path: PATHS.metrics });
  const figure = (name: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length) ?? 0,
    );
  const delay = (quantile: string): [string, number] => [
    quantile,
    figure(`partway_event_loop_delay_seconds{quantile="${quantile}"}`),
  ];
  return {
    delays: new Map([delay('0.99'), delay('1')]),
    sweeps: figure('partway_sweeps_total{outcome="ok"}'),
    sweepSeconds: figure('partway_sweep_duration_seconds_sum'),
    cpuSeconds: figure('process_cpu_seconds_total'),
  };
}

/** Waits for the first sweep, and keeps the longest pause of all readings: each reading resets the measurement, also during the sweep. */
async function untilSwept(ask: Ask): Promise<Figures> {
  const longest = new Map<string, number>();
  for (;;) {
    const figures = await readMetrics(ask);
    for (const [quantile, delay] of figures.delays) longest.set(quantile, Math.max(delay, longest.get(quantile) ?? 0));
    if (figures.sweeps > 0) return { ...figures, delays: longest };
    await wait(100);
  }
}

function pauseOf({ delays }: Figures, quantile = '1'): string {
  return `${Math.round(1_000 * (delays.get(quantile) ?? Number.NaN))} ms`;
}

function show(latencies: Latencies, ms: number): void {
  console.log('\n| | a second | median | p99 | longest |\n|---|---|---|---|---|');
  for (const [name, took] of [...latencies].sort()) {
    took.sort((a, b) => a - b);
    const at = (share: number) => `${(took[Math.floor(share * (took.length - 1))] ?? Number.NaN).toFixed(1)} ms`;
    console.log(`| ${name} | ${((1_000 * took.length) / ms).toFixed(1)} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`);
  }
  console.log();
}

/** Peak memory in bytes, which the kernel keeps itself. Linux only. */
function peakOf(pid: number): number {
  return 1_024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function sqliteFile(): { url: string; stop(): Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'partway-bench-'));
  return { url: join(folder, 'partway.db'), stop: async () => rmSync(folder, { recursive: true, force: true }) };
}

/** Starts a PostgreSQL that syncs to the disk, as in production. */
async function postgresServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const binaries = await findPostgres();
  if (binaries === undefined) throw new Error('PostgreSQL is not installed (initdb and postgres)');
  return startPostgres(binaries, { isDurable: true });
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(0);
}
