import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { acceptsCredentials } from '../minio/bucket.ts';
import type { Log } from '../minio/build.ts';
import { endpointOf, MINIO_REGION } from '../minio/server.ts';
import { atExit } from '../process/at-exit.ts';
import { isPortFree } from '../process/free-port.ts';
import { SetupError } from '../process/setup-error.ts';
import { type QuickstartFolder, readIfThere, type SavedSettings, serverUrl } from './settings.ts';

/** The processes that work in the folder. */
interface RunRecord {
  readonly pid: number;
  readonly minioPid?: number | undefined;
  readonly serverPid?: number | undefined;
}

export interface FolderLock {
  /** Records the servers, so that the next run can end them if this one is killed. */
  record(servers: Omit<RunRecord, 'pid'>): Promise<void>;
  release(): void;
}

const GONE_WITHIN_MS = 15_000;

/**
 * Makes this process the only one that works in the folder: two MinIOs on the same data do not notice each other, and would damage it. Ends
 * servers that a killed quick start has left, and only those: they must know our credentials.
 */
export async function lockFolder(folder: QuickstartFolder, saved: SavedSettings | undefined, log: Log): Promise<FolderLock> {
  const previous = await readRecord(folder);
  if (previous !== undefined) {
    if (isAlive(previous.pid)) throw new SetupError(explainOtherRun(previous.pid, folder.runRecord));
    if (saved !== undefined) await endLeftovers(previous, saved, log);
  }
  const record = async (servers: Omit<RunRecord, 'pid'>) => {
    await writeFile(folder.runRecord, JSON.stringify({ pid: process.pid, ...servers } satisfies RunRecord), { mode: 0o600 });
  };
  await record({});
  const remove = () => rmSync(folder.runRecord, { force: true });
  const forget = atExit(remove);
  return {
    record,
    release: () => {
      forget();
      remove();
    },
  };
}

async function readRecord(folder: QuickstartFolder): Promise<RunRecord | undefined> {
  const text = await readIfThere(folder.runRecord);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as RunRecord);
  } catch {
    // The record was cut off while it was written: no server that it could name had been started yet.
    return undefined;
  }
}

async function endLeftovers({ minioPid, serverPid }: RunRecord, { minio, server }: SavedSettings, log: Log): Promise<void> {
  if (serverPid !== undefined && (await answersToToken(serverUrl(server.port), server.token))) {
    log(`Ending the control plane that an earlier quick start left running (process ${serverPid}).`);
    await endProcess(serverPid, server.port);
  }
  const target = { endpoint: endpointOf(minio.port), region: MINIO_REGION, ...minio };
  if (minioPid !== undefined && (await acceptsCredentials(target))) {
    log(`Ending the MinIO that an earlier quick start left running (process ${minioPid}).`);
    await endProcess(minioPid, minio.port);
  }
}

async function answersToToken(url: string, token: string): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${url}/api/uploads`, { headers, signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

async function endProcess(pid: number, port: number): Promise<void> {
  if (isAlive(pid)) process.kill(pid, 'SIGTERM');
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (isAlive(pid) || !(await isPortFree(port))) {
    if (Date.now() > deadline) throw new SetupError(`Process ${pid} does not end. End it with: kill -9 ${pid}`);
    await sleep(50);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // A process of another user is alive, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function explainOtherRun(pid: number, recordFile: string): string {
  return `A quick start is running already (process ${pid}); two of them would work on the same data.
End that one with Ctrl-C, or wait for it. If process ${pid} is something else, delete ${recordFile}.`;
}
