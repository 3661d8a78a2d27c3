import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { atExit } from '../../src/dev/process/at-exit.ts';
import { inspect } from './kill/inspection.ts';
import { Killing } from './kill/killing.ts';
import { MODES, type Mode, planStrikes, planUpload } from './kill/plan.ts';
import { type Scene, setScene } from './kill/scene.ts';
import { readLoggedErrors, summarise, violationsOf } from './kill/summary.ts';
import { type Upload, upload } from './kill/uploading.ts';

interface Settings {
  readonly mode: Mode;
  readonly minutes: number;
  readonly clients: number;
  readonly seed: number;
}

/** Between the starts of two clients: fifty processes that start at once would keep the host busy for a while. */
const NEXT_CLIENT_MS = 200;
/** Time limit after the last restart; an undisturbed upload takes about a minute. */
const LONGEST_END_MS = 6 * 60_000;
const PRINT_EVERY_MS = 30_000;

/**
 * npm run bench:kill -- replicas|single [--minutes 5 --clients 50 --seed 1]
 * Clients upload one file after another while the servers are killed -9 again and again. Exits with 1 and names the violations of the
 * guarantees, or exits with 0.
 */
export async function run(args: readonly string[]): Promise<void> {
  const settings = readSettings(args);
  const folder = makeFolder();
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  const forget = atExit(remove);
  console.log(`${settings.mode}, ${settings.clients} clients, ${settings.minutes} minutes, seed ${settings.seed}`);
  try {
    const scene = await setScene(settings.mode, folder, settings.clients);
    try {
      process.exitCode = (await perform(settings, scene, folder)) === 0 ? 0 : 1;
    } finally {
      await scene.stopControlPlanes();
      await scene.close();
    }
  } finally {
    forget();
    remove();
  }
}

/** Creates the folder for all temporary files, the servers' included, so that an interrupted run leaves nothing. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'partway-kill-'));
  // PostgreSQL refuses to run as root, and its own user must be able to reach its folder.
  chmodSync(folder, 0o711);
  process.env.TMPDIR = folder;
  return folder;
}

/** Plays all clients and kills. @returns the number of violations. */
async function perform(settings: Settings, scene: Scene, folder: string): Promise<number> {
  const { mode, minutes, seed } = settings;
  const lastMs = minutes * 60_000;
  const killing = new Killing(scene.mortals);
  const uploads: Upload[] = [];
  const printing = printProgress(uploads, killing);
  const giveUp = new AbortController();
  setMaxListeners(settings.clients, giveUp.signal);
  const uploading = Promise.all(
    Array.from({ length: settings.clients }, (_, client) => playClient(client, settings, scene, folder, giveUp.signal, uploads)),
  );
  try {
    await Promise.race([killing.carryOut(planStrikes(mode, seed, lastMs)), uploading.then(() => new Promise(() => {}))]);
    const tooLong = setTimeout(() => giveUp.abort(), LONGEST_END_MS);
    await uploading;
    clearTimeout(tooLong);
  } finally {
    giveUp.abort();
    clearInterval(printing);
  }
  await scene.stopControlPlanes();
  const inspection = await inspect(uploads, scene);
  const outcome = { uploads, killing, inspection, bytesOnLink: scene.link.bytesUp, loggedErrors: readLoggedErrors(folder) };
  console.log(summarise(outcome));
  return violationsOf(outcome).length;
}

/** Uploads one file after another until the minutes are over, and finishes the last one. */
async function playClient(
  client: number,
  { mode, minutes, seed }: Settings,
  { urls, token }: Scene,
  folder: string,
  giveUp: AbortSignal,
  uploads: Upload[],
): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  const server = urls[client % urls.length] ?? '';
  await wait(client * NEXT_CLIENT_MS);
  for (let turn = 0; performance.now() < until; turn++) {
    uploads.push(await upload(planUpload(mode, seed, client, turn), { client, server, token, folder, seed, giveUp }));
  }
}

function printProgress(uploads: readonly Upload[], { kills }: Killing): NodeJS.Timeout {
  const startedAt = performance.now();
  return setInterval(() => {
    const killed = [...kills.values()].reduce((sum, times) => sum + times, 0);
    console.error(`${Math.round((performance.now() - startedAt) / 1_000)} s: ${uploads.length} uploads ended, ${killed} kills`);
  }, PRINT_EVERY_MS);
}

function readSettings(args: readonly string[]): Settings {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { minutes: { type: 'string' }, clients: { type: 'string' }, seed: { type: 'string' } },
  });
  const mode = MODES.find((name) => name === positionals[0]);
  if (mode === undefined) throw new Error(`Which? ${MODES.join(' or ')}.`);
  return {
    mode,
    minutes: Number(values.minutes ?? 5),
    clients: Number(values.clients ?? 50),
    seed: Number(values.seed ?? randomBytes(4).readUInt32BE()),
  };
}
