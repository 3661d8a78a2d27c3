import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningMinio, startMinio } from '../../src/dev/minio/minio.ts';
import { freePort } from '../../src/dev/process/free-port.ts';
import { ensureGeneratedFile } from '../../src/dev/quickstart/generated-file.ts';
import { GiB } from '../../src/session/part-plan.ts';
import { startControlPlane } from '../support/server/control-plane-process.ts';
import { libStorage, partway, peersOnPath, type Target, type Tool } from './network/tools.ts';

const BUCKET = 'bench';

interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

/**
 * npm run bench [-- --size 4 --rounds 3 --tools partway,mc]
 * Uploads one file over loopback to MinIO on a RAM disk (if /dev/shm is one), with each tool in turn, round after round: the ratios within
 * one run are what counts. CPU is the client's own, user and system.
 */
export async function run(args: readonly string[]): Promise<void> {
  const value = (name: string) => (args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : undefined);
  const size = Number(value('size') ?? 4) * GiB;
  const rounds = Number(value('rounds') ?? 3);
  const wanted = value('tools')?.split(',');
  const tools = [partway, ...peersOnPath(), libStorage].filter(
    (tool) => wanted === undefined || wanted.some((name) => tool.name.startsWith(name)),
  );
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'partway-throughput-'));
  const file = join(folder, 'film.mp4');
  await ensureGeneratedFile(file, size);
  // As on a laptop, a tool can use what it remembers of one upload for the next one.
  const home = mkdtempSync(join(tmpdir(), 'partway-home-'));
  const costs = new Map<string, Cost[]>(tools.map((tool) => [tool.name, []]));
  const store = await anEmptyStore(join(folder, 'minio'));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const tool of tools) {
        const minio = await store.renew();
        // Each store knows only the sessions for part URLs that it has opened itself.
        const controlPlane = await startControlPlane({ store: minio, bucket: BUCKET });
        const target = {
          ...minio,
          store: minio.endpoint,
          controlPlane: controlPlane.server,
          token: controlPlane.token,
          bucket: BUCKET,
        };
        try {
          costs.get(tool.name)?.push(await measure(tool, file, home, target));
        } finally {
          await controlPlane.stop();
        }
      }
    }
  } finally {
    await store.stop();
    for (const path of [folder, home]) rmSync(path, { recursive: true, force: true });
  }
  console.log(`${size / GiB} GiB, median of ${rounds} rounds\n| tool | seconds | client CPU seconds |\n|---|---|---|`);
  for (const [name, all] of costs) {
    console.log(
      `| ${name} | ${median(all.map(({ wall }) => wall)).toFixed(1)} | ${median(all.map(({ cpu }) => cpu)).toFixed(1)} |`,
    );
  }
}

async function measure(tool: Tool, file: string, home: string, target: Target): Promise<Cost> {
  const key = `film-${randomBytes(4).toString('hex')}`;
  // The shell measures its child's user and system time, which Node does not report.
  const child = spawn(
    'bash',
    ['-c', 'TIMEFORMAT="cost %R %U %S"; time "$@"', 'bash', tool.command, ...tool.args(target, file, key)],
    {
      env: { PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: home, ...tool.env(target) },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  const cost = /cost ([\d.]+) ([\d.]+) ([\d.]+)/.exec(errors);
  if (exitCode !== 0 || cost === null) throw new Error(`${tool.name} failed: ${errors}`);
  return { wall: Number(cost[1]), cpu: Number(cost[2]) + Number(cost[3]) };
}

/** A MinIO that is started again for each run, at the same address: it keeps deleted data for minutes, and a RAM disk is small. */
async function anEmptyStore(dataDir: string) {
  const credentials = { accessKeyId: 'bench', secretAccessKey: randomBytes(16).toString('hex') };
  const port = await freePort();
  let minio: RunningMinio | undefined;
  const stop = async () => {
    await minio?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  return {
    async renew(): Promise<RunningMinio> {
      await stop();
      minio = await startMinio({ log: () => {}, bucket: BUCKET, dataDir, port, credentials });
      return minio;
    },
    stop,
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
