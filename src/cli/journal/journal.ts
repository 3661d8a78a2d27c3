import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSessionId } from '../../contract/paths.ts';
import { isJournalEntry, type JournalEntry, lastInstantOf, outcomeSeen } from './journal-entry.ts';

const DAY_MS = 86_400_000;
const COMPLETED_KEPT_MS = 30 * DAY_MS;
/** Sessions expire long before; a session that is still wanted is journaled again by the next run. */
const OTHERS_KEPT_MS = 90 * DAY_MS;
const REMEMBERED_FOR_MS = 7 * DAY_MS;

/** The last time that an upload to a server broke off. */
export interface Trouble {
  readonly kind: 'interrupted' | 'stalled';
  readonly at: Date;
}

export interface JournalOptions {
  readonly directory: string;
  /** Called at most once. */
  readonly warn: (message: string) => void;
  readonly now: () => number;
  readonly isAlive?: (pid: number) => boolean;
}

/** One small file per session, so that several processes never write the same one. Never throws: an unusable journal is as good as none. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #isAlive: (pid: number) => boolean;
  #hasWarned = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#isAlive = options.isAlive ?? isProcessAlive;
  }

  async read(sessionId: string): Promise<JournalEntry | undefined> {
    // It may be what a person typed.
    return isSessionId(sessionId) ? this.#readFile(fileNameOf(sessionId)) : undefined;
  }

  async save(entry: JournalEntry): Promise<void> {
    let temporary: string | undefined;
    try {
      const path = join(this.#options.directory, fileNameOf(entry.sessionId));
      temporary = `${path}.${process.pid}.tmp`;
      await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
      await writeFile(temporary, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      this.#warn(error);
      if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  /** The latest interrupted or stalled run to `server` in the last 7 days. */
  async latestTrouble(server: string): Promise<Trouble | undefined> {
    const since = this.#options.now() - REMEMBERED_FOR_MS;
    const troubles = (await this.#readAll())
      .filter((entry) => entry.server === server)
      .flatMap(({ runs }) => runs.map((run) => ({ kind: outcomeSeen(run, this.#isAlive), at: new Date(lastInstantOf(run)) })))
      .filter((run): run is Trouble => run.kind === 'interrupted' || run.kind === 'stalled')
      .filter(({ at }) => at.getTime() >= since);
    return troubles.sort((a, b) => b.at.getTime() - a.at.getTime())[0];
  }

  /** Bytes per second of the latest run to `server` in the last 7 days that sent enough to tell. */
  async latestSpeed(server: string): Promise<number | undefined> {
    const since = this.#options.now() - REMEMBERED_FOR_MS;
    const runs = (await this.#readAll())
      .filter((entry) => entry.server === server)
      .flatMap((entry) => entry.runs)
      .filter((run) => run.bytesPerSecond !== undefined && lastInstantOf(run) >= since);
    return runs.sort((a, b) => lastInstantOf(b) - lastInstantOf(a))[0]?.bytesPerSecond;
  }

  /** Forgets sessions that nobody will ask for again, and what a crash left half written. */
  async prune(): Promise<void> {
    const now = this.#options.now();
    for (const entry of await this.#readAll()) {
      const latest = entry.runs.at(-1);
      const age = latest === undefined ? Number.POSITIVE_INFINITY : now - lastInstantOf(latest);
      if (age > (latest?.outcome === 'completed' ? COMPLETED_KEPT_MS : OTHERS_KEPT_MS))
        await this.#remove(fileNameOf(entry.sessionId));
    }
    for (const name of await this.#names('.tmp')) {
      const stats = await stat(join(this.#options.directory, name)).catch(() => undefined);
      if (stats !== undefined && now - stats.mtimeMs > DAY_MS) await this.#remove(name);
    }
  }

  async #readAll(): Promise<JournalEntry[]> {
    const entries = await Promise.all((await this.#names('.json')).map((name) => this.#readFile(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  async #readFile(name: string): Promise<JournalEntry | undefined> {
    try {
      const value: unknown = JSON.parse(await readFile(join(this.#options.directory, name), 'utf8'));
      // One that names another session would have that one's file forgotten in its place.
      if (isJournalEntry(value) && name === fileNameOf(value.sessionId)) return value;
      throw new Error(`${name} is not a journal entry`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(error);
      return undefined;
    }
  }

  async #names(extension: string): Promise<string[]> {
    try {
      return (await readdir(this.#options.directory)).filter((name) => name.endsWith(extension));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(error);
      return [];
    }
  }

  async #remove(name: string): Promise<void> {
    await rm(join(this.#options.directory, name), { force: true }).catch((error) => this.#warn(error));
  }

  #warn(error: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.warn(`the journal in ${this.#options.directory} cannot be used (${reason}); going on without it`);
  }
}

/** @throws where the id could name anything outside the journal's folder. */
function fileNameOf(sessionId: string): string {
  if (!isSessionId(sessionId)) throw new Error(`${JSON.stringify(sessionId)} cannot be the id of an upload session`);
  return `${sessionId}.json`;
}

function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // The process exists, but belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
