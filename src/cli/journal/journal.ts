import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSessionId } from '../../contract/paths.ts';
import { isJournalEntry, type JournalEntry, lastInstantOf, outcomeSeen } from './journal-entry.ts';
import { warnOfLooseFolder } from './loose-folder.ts';

const DAY_MS = 86_400_000;
const COMPLETED_KEPT_MS = 30 * DAY_MS;
/** Sessions expire long before; the next run of a session that is still wanted writes its entry again. */
const OTHERS_KEPT_MS = 90 * DAY_MS;
const REMEMBERED_FOR_MS = 7 * DAY_MS;
/** Extension of an entry that could not be read: kept for inspection, and no longer in the way. */
const DAMAGED = '.damaged';

/** A run that broke off. */
export interface Trouble {
  readonly kind: 'interrupted' | 'stalled';
  readonly at: Date;
}

export interface JournalOptions {
  /** Undefined if this machine has no place for it: nothing is remembered then. */
  readonly directory: string | undefined;
  /** Called once for each problem. */
  readonly warn: (message: string) => void;
  readonly now: () => number;
  readonly isAlive?: (pid: number) => boolean;
}

/** Keeps one small file per session, so that several processes never write the same one. Never throws: an unusable journal counts as none. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #isAlive: (pid: number) => boolean;
  #isUnusable = false;
  #folderChecked: Promise<void> | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#isAlive = options.isAlive ?? isProcessAlive;
  }

  async read(sessionId: string): Promise<JournalEntry | undefined> {
    // The id may be whatever a person typed.
    return isSessionId(sessionId) ? this.#readFile(fileNameOf(sessionId)) : undefined;
  }

  async save(entry: JournalEntry): Promise<void> {
    const { directory } = this.#options;
    if (directory === undefined) return;
    let temporary: string | undefined;
    try {
      const path = join(directory, fileNameOf(entry.sessionId));
      temporary = `${path}.${process.pid}.tmp`;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(temporary, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      this.#warn(error);
      if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  /** Finds the latest interrupted or stalled run to `server` in the last 7 days. */
  async latestTrouble(server: string): Promise<Trouble | undefined> {
    const since = this.#options.now() - REMEMBERED_FOR_MS;
    const troubles = (await this.#readAll())
      .filter((entry) => entry.server === server)
      .flatMap(({ runs }) => runs.map((run) => ({ kind: outcomeSeen(run, this.#isAlive), at: new Date(lastInstantOf(run)) })))
      .filter((run): run is Trouble => run.kind === 'interrupted' || run.kind === 'stalled')
      .filter(({ at }) => at.getTime() >= since);
    return troubles.sort((a, b) => b.at.getTime() - a.at.getTime())[0];
  }

  /** Returns the bytes per second of the latest run to `server` in the last 7 days that sent enough to measure. */
  async latestSpeed(server: string): Promise<number | undefined> {
    const since = this.#options.now() - REMEMBERED_FOR_MS;
    const runs = (await this.#readAll())
      .filter((entry) => entry.server === server)
      .flatMap((entry) => entry.runs)
      .filter((run) => run.bytesPerSecond !== undefined && lastInstantOf(run) >= since);
    return runs.sort((a, b) => lastInstantOf(b) - lastInstantOf(a))[0]?.bytesPerSecond;
  }

  /** Removes entries of sessions that have long ended, and files that a crash left half written. */
  async prune(): Promise<void> {
    const now = this.#options.now();
    for (const entry of await this.#readAll()) {
      const latest = entry.runs.at(-1);
      const age = latest === undefined ? Number.POSITIVE_INFINITY : now - lastInstantOf(latest);
      if (age > (latest?.outcome === 'completed' ? COMPLETED_KEPT_MS : OTHERS_KEPT_MS))
        await this.#remove(fileNameOf(entry.sessionId));
    }
    await this.#removeOlder('.tmp', now - DAY_MS);
    await this.#removeOlder(DAMAGED, now - OTHERS_KEPT_MS);
  }

  async #removeOlder(extension: string, before: number): Promise<void> {
    for (const name of await this.#names(extension)) {
      const stats = await stat(this.#pathOf(name)).catch(() => undefined);
      if (stats !== undefined && stats.mtimeMs < before) await this.#remove(name);
    }
  }

  async #readAll(): Promise<JournalEntry[]> {
    const entries = await Promise.all((await this.#names('.json')).map((name) => this.#readFile(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  async #readFile(name: string): Promise<JournalEntry | undefined> {
    if (this.#options.directory === undefined) return undefined;
    await this.#checkFolder();
    let text: string;
    try {
      text = await readFile(this.#pathOf(name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(error);
      return undefined;
    }
    const value = parseJson(text);
    // An entry that names another session would let `prune` remove that session's file instead.
    if (isJournalEntry(value) && name === fileNameOf(value.sessionId)) return value;
    if (!isOfNewerVersion(value)) await this.#setAside(name);
    return undefined;
  }

  /** Renames a damaged entry, and warns once: without its checksums, the uploaded file is read again. */
  async #setAside(name: string): Promise<void> {
    const damaged = this.#pathOf(`${name}${DAMAGED}`);
    try {
      await rename(this.#pathOf(name), damaged);
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(error);
      return;
    }
    this.#options.warn(
      `the journal's entry ${name} was damaged and is ${damaged} now; what is stored of its file will be compared again`,
    );
  }

  async #names(extension: string): Promise<string[]> {
    const { directory } = this.#options;
    if (directory === undefined) return [];
    await this.#checkFolder();
    try {
      return (await readdir(directory)).filter((name) => name.endsWith(extension));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(error);
      return [];
    }
  }

  async #remove(name: string): Promise<void> {
    await rm(this.#pathOf(name), { force: true }).catch((error) => this.#warn(error));
  }

  #checkFolder(): Promise<void> {
    const { directory = '' } = this.#options;
    this.#folderChecked ??= warnOfLooseFolder(directory).then((warning) => {
      if (warning !== undefined) this.#options.warn(warning);
    });
    return this.#folderChecked;
  }

  #pathOf(name: string): string {
    return join(this.#options.directory ?? '', name);
  }

  /** Warns once that the journal cannot be used, however many reasons there are. */
  #warn(error: unknown): void {
    if (this.#isUnusable) return;
    this.#isUnusable = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.warn(`the journal in ${this.#options.directory} cannot be used (${reason}); going on without it`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A newer partway wrote the entry and still needs it. */
function isOfNewerVersion(value: unknown): boolean {
  const { version } = (value ?? {}) as { version?: unknown };
  return typeof version === 'number' && version > 1;
}

/** @throws Error if the id could name a file outside the journal's folder */
function fileNameOf(sessionId: string): string {
  if (!isSessionId(sessionId)) throw new Error(`${JSON.stringify(sessionId)} cannot be the id of an upload session`);
  return `${sessionId}.json`;
}

function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // The process exists, but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
