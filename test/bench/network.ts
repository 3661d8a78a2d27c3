import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findMinio } from '../../src/dev/minio/find.ts';
import { randomCredentials } from '../../src/dev/minio/minio.ts';
import { thisHost } from '../../src/dev/process/user-folders.ts';
import { ensureGeneratedFile } from '../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { SCENARIOS, type Scenario } from './network/scenarios.ts';
import { createTestbed, type Testbed } from './network/testbed.ts';
import { partway, peersOnPath, type Target, type Tool } from './network/tools.ts';

const PARTWAY = fileURLToPath(new URL('../../bin/partway.js', import.meta.url));
const LONGEST_RUN_MS = 10 * 60_000;

interface Settings {
  readonly mebibytes: number;
  readonly megabits: number;
  readonly scenarios: readonly Scenario[];
  readonly tools: readonly Tool[];
}

/**
 * npm run bench:network [-- --size 256 --rate 80 --only blackout --tools partway,mc]
 * Uploads the same file over the same bad network with partway and with each peer on PATH.
 */
export async function run(args: readonly string[]): Promise<void> {
  const settings = readSettings(args);
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'partway-network-'));
  const file = join(folder, 'film.mp4');
  await ensureGeneratedFile(file, settings.mebibytes * MiB);
  const bed = createTestbed(settings.megabits);
  const stop = new AbortController();
  const cleanUp = () => {
    stop.abort();
    bed.remove();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('SIGINT', () => {
    cleanUp();
    process.exit(130);
  });
  try {
    const target = await startServers(bed, folder, stop.signal);
    console.log(`${settings.mebibytes} MiB at ${settings.megabits} Mbit/s`);
    console.log(
      '| scenario | tool | finished | seconds | wire ÷ file | utilisation | back after |\n|---|---|---|---|---|---|---|',
    );
    for (const scenario of settings.scenarios) {
      for (const tool of settings.tools) console.log(await measure(bed, target, file, settings, scenario, tool));
    }
  } finally {
    cleanUp();
  }
}

async function measure(
  bed: Testbed,
  target: Target,
  file: string,
  settings: Settings,
  scenario: Scenario,
  tool: Tool,
): Promise<string> {
  bed.blackout(false);
  bed.refuse(false);
  bed.setLoss(scenario.loss);
  const fileSize = settings.mebibytes * MiB;
  const key = `${tool.name}-${randomBytes(4).toString('hex')}`.replaceAll(' ', '-');
  const home = mkdtempSync(join(tmpdir(), 'partway-home-'));
  const start = () =>
    bed.spawn('client', tool.command, tool.args(target, file, key), {
      env: { PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: home, ...tool.env(target) },
      keepOutput: true,
    });

  const wireBefore = bed.bytesOnWire();
  const startedAt = performance.now();
  const over = new AbortController();
  let child = start();
  if (scenario.killHalfWay) {
    await bed.untilSent(fileSize / 2);
    child.kill('SIGKILL');
    await once(child, 'close');
    child = start();
  }
  const disturbance = scenario.disturb?.({ bed, process: child, fileSize, over: over.signal });
  const output = collect(child);
  const cap = setTimeout(() => child.kill('SIGKILL'), LONGEST_RUN_MS);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearTimeout(cap);
  const seconds = (performance.now() - startedAt) / 1_000;
  const wire = bed.bytesOnWire() - wireBefore;
  over.abort();
  const { downSeconds = 0, recoverySeconds } = (await disturbance) ?? {};
  rmSync(home, { recursive: true, force: true });
  if (exitCode !== 0) console.error(`${tool.name}: ${output().slice(-600)}`);
  const ideal = (fileSize * 8) / (settings.megabits * 1e6);
  return `| ${[
    scenario.name,
    tool.name,
    exitCode === 0 ? 'yes' : `no (${exitCode})`,
    seconds.toFixed(1),
    (wire / fileSize).toFixed(3),
    exitCode === 0 ? (ideal / (seconds - downSeconds)).toFixed(2) : '–',
    recoverySeconds === undefined ? '–' : `${recoverySeconds.toFixed(1)} s`,
  ].join(' | ')} |`;
}

function collect(child: ReturnType<Testbed['spawn']>): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      text = (text + piece).slice(-4_000);
    });
  }
  return () => text;
}

/** Starts MinIO on a RAM disk, and the control plane, on the server's side of the link. */
async function startServers(bed: Testbed, folder: string, stop: AbortSignal): Promise<Target> {
  const target: Target = {
    store: `http://${bed.serverAddress}:9000`,
    controlPlane: `http://${bed.serverAddress}:7373`,
    token: `pw_${randomBytes(24).toString('base64url')}`,
    bucket: 'bench',
    accessKeyId: randomBytes(8).toString('hex'),
    secretAccessKey: randomBytes(16).toString('hex'),
  };
  const minio = bed.spawn(
    'server',
    await minioBinary(),
    ['server', join(folder, 'minio'), '--address', `${bed.serverAddress}:9000`, '--quiet'],
    {
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        MINIO_ROOT_USER: target.accessKeyId,
        MINIO_ROOT_PASSWORD: target.secretAccessKey,
        MINIO_BROWSER: 'off',
      },
    },
  );
  stop.addEventListener('abort', () => minio.kill('SIGKILL'));
  await untilAnswers(bed, `${target.store}/minio/health/cluster`);
  const user = randomCredentials();
  const serverEnv = {
    PATH: process.env.PATH,
    PARTWAY_HOST: bed.serverAddress,
    PARTWAY_TOKEN: target.token,
    PARTWAY_DATABASE_URL: join(folder, 'partway.db'),
    PARTWAY_S3_ENDPOINT: target.store,
    PARTWAY_S3_BUCKET: target.bucket,
    PARTWAY_S3_ACCESS_KEY_ID: user.accessKeyId,
    PARTWAY_S3_SECRET_ACCESS_KEY: user.secretAccessKey,
    PARTWAY_S3_REGION: 'us-east-1',
  };
  const root = { MINIO_ROOT_USER: target.accessKeyId, MINIO_ROOT_PASSWORD: target.secretAccessKey };
  const setup = bed.spawn(
    'server',
    process.execPath,
    [fileURLToPath(new URL('../../dist/dev/setup-store.js', import.meta.url))],
    { env: { ...serverEnv, ...root } },
  );
  await once(setup, 'close');
  const controlPlane = bed.spawn('server', process.execPath, [PARTWAY, 'serve'], { env: serverEnv });
  stop.addEventListener('abort', () => controlPlane.kill('SIGKILL'));
  await untilAnswers(bed, `${target.controlPlane}/readyz`);
  return target;
}

async function minioBinary(): Promise<string> {
  const source = await findMinio(thisHost, console.error);
  if (source.kind === 'binary') return source.path;
  throw new Error('This benchmark starts MinIO in a network namespace, so it needs a minio program (or Go to build one).');
}

async function untilAnswers(bed: Testbed, url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const check = `fetch(${JSON.stringify(url)}).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;
    const [code] = (await once(bed.spawn('server', process.execPath, ['-e', check]), 'close')) as [number];
    if (code === 0) return;
    await wait(100);
  }
  throw new Error(`${url} did not answer`);
}

function readSettings(args: readonly string[]): Settings {
  const value = (name: string) => {
    const index = args.indexOf(`--${name}`);
    return index === -1 ? undefined : args[index + 1];
  };
  const only = value('only')?.split(',');
  const wanted = value('tools')?.split(',');
  const tools = [partway, ...peersOnPath()].filter(
    (tool) => wanted === undefined || wanted.some((name) => tool.name.startsWith(name)),
  );
  return {
    mebibytes: Number(value('size') ?? 256),
    megabits: Number(value('rate') ?? 80),
    scenarios: SCENARIOS.filter((scenario) => only === undefined || only.some((name) => scenario.name.startsWith(name))),
    tools,
  };
}
