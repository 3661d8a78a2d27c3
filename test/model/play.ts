import { setTimeout as wait } from 'node:timers/promises';
import { sweep } from '../../src/server/lifecycle/sweeper.ts';
import { type ErrorCode, isUploadError } from '../../src/session/errors.ts';
import { isTerminal, type Status } from '../../src/session/machine.ts';
import type { UploadSession } from '../../src/session/session.ts';
import { POLICY } from '../support/server/control-plane.ts';
import type { Contents } from './changing-file.ts';
import { ModelClient, type Outcome } from './model-client.ts';
import { type Act, changesUnseen, codesThatMayEnd, type Schedule } from './schedule.ts';
import { type Setting, type Stage, setUp } from './stage.ts';
import { watchProgress } from './watch-progress.ts';

/**
 * A client that takes longer hangs: this is several times longer than any wait of the engine that a schedule can cause. It is counted in
 * turns of this process' own event loop, which come late on a busy host, as the engine's timers do; MinIO may be slower still.
 */
const HUNG_TURNS = 150;
const TURN_MS = 1_000;
/** An act happens after this time even if its moment has not come. */
const LONGEST_WAIT_MS = 2_500;
const MINUTE = 60_000;
/** Statuses of sessions that cannot be resumed; the sweep finishes an interrupted abort. */
const ENDED: ReadonlySet<Status> = new Set(['aborting', 'aborted', 'expired']);

/** Plays a schedule to its end. @throws Error that names every violation of the guarantees. */
export async function play(schedule: Schedule, setting: Setting): Promise<void> {
  const stage = await setUp(schedule, setting);
  const watch = watchProgress(stage);
  const performance = new Performance(schedule, setting, stage);
  try {
    await performance.perform();
    await performance.calmDown();
    await performance.end();
    watch.stop();
    await performance.inspect();
  } finally {
    watch.stop();
    await performance.leave();
    await stage.close();
  }
  const { violations } = stage.ledger;
  if (violations.length > 0) throw new Error([...new Set(violations)].join('\n'));
}

/** Settles as `work` does, or rejects if that hangs. */
async function unlessHung<Result>(work: Promise<Result>): Promise<Result> {
  const settled = new AbortController();
  try {
    return await Promise.race([work, hang(settled.signal)]);
  } finally {
    settled.abort();
  }
}

async function hang(signal: AbortSignal): Promise<never> {
  for (let turn = 0; turn < HUNG_TURNS; turn++) await wait(TURN_MS, undefined, { signal });
  throw new Error(`it ran for longer than ${HUNG_TURNS * TURN_MS} ms`);
}

class Performance {
  readonly #schedule: Schedule;
  readonly #setting: Setting;
  readonly #stage: Stage;
  readonly #clients: ModelClient[] = [];
  /** Acts that are still in progress while later acts begin. */
  readonly #actsInProgress: Promise<unknown>[] = [];
  #sessionId: string | undefined;

  constructor(schedule: Schedule, setting: Setting, stage: Stage) {
    this.#schedule = schedule;
    this.#setting = setting;
    this.#stage = stage;
  }

  async perform(): Promise<void> {
    this.#start({ by: 'file', journal: false });
    for (const act of this.#schedule.acts) {
      const quiet = Promise.all(this.#clients.map((client) => client.over));
      await Promise.race([this.#stage.moments.reached(act.when), quiet, wait(LONGEST_WAIT_MS)]);
      await this.#do(act);
    }
  }

  /** Waits for the clients that still run. Then every fault is removed, and no request is in progress. */
  async calmDown(): Promise<void> {
    await Promise.all(this.#actsInProgress);
    // A client that hangs is judged below.
    await unlessHung(Promise.all(this.#clients.map((client) => client.over))).catch(() => undefined);
    await this.#stage.mend();
    for (const client of this.#clients) await this.#judge(client);
    // A killed client may have sent requests that arrive a little later.
    for (let waitedMs = 0; this.#stage.ledger.underWay > 0 && waitedMs < LONGEST_WAIT_MS; waitedMs += 5) await wait(5);
  }

  async end(): Promise<void> {
    const { stage, schedule } = { stage: this.#stage, schedule: this.#schedule };
    if (schedule.ending === 'finish') await this.#finish();
    for (let round = 0; round < 4; round++) {
      if (schedule.ending === 'abort') await this.#abortAll();
      stage.clock.offsetMs += schedule.ending === 'expire' ? POLICY.sessionTtlMs + MINUTE : 30 * MINUTE;
      const { failed } = await sweep(stage.server.deps);
      if (failed > 0) this.#violated('a sweep failed although everything works');
    }
  }

  /** Checks what must be true at the end. */
  async inspect(): Promise<void> {
    const { store, sessions, key, file } = this.#stage;
    const all = await this.#sessions();
    for (const { status } of all) if (!isTerminal(status)) this.#violated(`a session is ${status} for ever`);
    const object = await store.read(key);
    const isCompleted = all.some(({ status }) => status === 'completed');
    if (isCompleted !== (object !== undefined))
      this.#violated(`completed: ${isCompleted}, and an object: ${object !== undefined}`);
    if (object && !Object.values(file.bytes).some((bytes) => bytes.equals(object))) this.#violated('the object is not the file');
    const wasAborted = this.#schedule.acts.some(({ act }) => act === 'abort');
    if (this.#schedule.ending === 'finish' && !wasAborted && !isCompleted) this.#violated('the upload could not be finished');

    const uploads = await store.uploads(key);
    if (uploads.length > 0) this.#violated(`the store still holds ${uploads.length} multipart uploads`);
    const leftovers = await sessions.leftoverUploads(Number.MAX_SAFE_INTEGER, 100);
    if (leftovers.length > 0) this.#violated(`${leftovers.length} uploads are still on record as leftovers`);
    const suspects = await sessions.listOrphanSuspects(Number.MAX_SAFE_INTEGER, 100);
    if (suspects.length > 0) this.#violated(`${suspects.length} keys are still suspected of holding an orphan`);
  }

  async leave(): Promise<void> {
    for (const client of this.#clients) client.kill();
    await Promise.all([...this.#clients.map((client) => client.over), ...this.#actsInProgress]);
  }

  async #do(act: Act): Promise<void> {
    const { store, server, file, clock, ledger } = this.#stage;
    switch (act.act) {
      case 'start client':
        this.#start(act);
        return;
      case 'kill client':
        this.#running()
          .at(act.which === 'oldest' ? 0 : -1)
          ?.kill();
        return;
      case 'kill server':
        this.#actsInProgress.push(server.kill(act.downMs));
        return;
      case 'kill store':
        this.#actsInProgress.push(store.kill(act.downMs));
        return;
      case 'lose upload':
        // A store that is down at this moment loses nothing.
        await this.#loseUploads().catch(() => {});
        return;
      case 'lose part':
        for (const uploadId of await store.uploads(this.#stage.key)) {
          ledger.lost(uploadId, act.part);
          store.losePart?.(uploadId, act.part);
        }
        return;
      case 'change file':
        file.become('changed', act.seen);
        return;
      case 'restore file':
        file.become('original', act.seen);
        return;
      case 'sweep':
        this.#actsInProgress.push(server.sweep());
        return;
      case 'abort':
        this.#actsInProgress.push(this.#abortSession());
        return;
      case 'time passes':
        clock.offsetMs += act.minutes * MINUTE;
        return;
      case 'break link':
        this.#actsInProgress.push(this.#breakLink(act));
        return;
    }
  }

  async #loseUploads(): Promise<void> {
    const { store, key, ledger } = this.#stage;
    for (const uploadId of await store.uploads(key)) {
      ledger.lost(uploadId);
      await store.loseUpload(key, uploadId);
    }
  }

  async #breakLink({ to, how, ms }: Extract<Act, { act: 'break link' }>): Promise<void> {
    const { link } = to === 'store' ? this.#stage.toStore : this.#stage.toServer;
    // Not refuse(): another program may take a port as soon as nothing listens on it.
    if (how === 'reset') link.reset();
    else link.freeze();
    await wait(ms);
    await link.restore({ stayFrozen: how === 'freeze for good' });
  }

  #start({ by, journal }: { by: 'id' | 'file'; journal: boolean }): ModelClient {
    const { toServer, ledger, file } = this.#stage;
    const client = new ModelClient({
      name: `${this.#clients.length + 1}`,
      server: toServer.url,
      ledger,
      file: file.open(),
      original: file.original,
      sessionId: by === 'id' ? this.#sessionId : undefined,
      stallMs: this.#setting.stallMs,
      knownChecksums: journal && !changesUnseen(this.#schedule) ? this.#journal() : undefined,
    });
    this.#clients.push(client);
    void client.found.then((sessionId) => {
      this.#sessionId = sessionId ?? this.#sessionId;
    });
    return client;
  }

  /** The checksums of parts that clients have read from exactly this version of the file. */
  #journal(): ReadonlyMap<number, string> {
    const { version } = this.#stage.file;
    const readers = this.#clients.filter(({ file }) => file.identity.mtimeMs === version);
    return new Map(readers.flatMap(({ checksums }) => [...checksums]));
  }

  #running(): ModelClient[] {
    return this.#clients.filter((client) => !client.isOver && !client.isKilled);
  }

  async #judge(client: ModelClient): Promise<Outcome | undefined> {
    try {
      const outcome = await unlessHung(client.outcome);
      if (outcome.kind === 'completed') await this.#checkObject(client, outcome.result.bytes);
      else if (outcome.kind === 'gave up') this.#checkCode(client, outcome.code);
      return outcome;
    } catch (error) {
      this.#violated(`client ${client.name}: ${error instanceof Error ? error.stack : error}`);
      return undefined;
    }
  }

  #checkCode(client: ModelClient, code: ErrorCode): void {
    const isAllowed = code === 'INTERRUPTED' ? client.isKilled : codesThatMayEnd(this.#schedule).has(code);
    if (!isAllowed) this.#violated(`client ${client.name} gave up with ${code}: ${client.lastWords}`);
  }

  #mayChange(): boolean {
    return this.#schedule.acts.some(({ act }) => act === 'change file');
  }

  /** Checks, for a client that got `completed`, that the object is the file as it was at some moment of this upload. */
  async #checkObject(client: ModelClient, bytes: number): Promise<void> {
    const { store, key, file } = this.#stage;
    const object = await store.read(key);
    const isFile = object && [...client.file.contentsSeen].some((contents) => file.bytes[contents].equals(object));
    if (!isFile) this.#violated(`client ${client.name} completed, and the object is ${object ? 'not its file' : 'not there'}`);
    if (bytes !== file.bytes.original.length) this.#violated(`client ${client.name} told of an object of ${bytes} bytes`);
  }

  /** Checks that an upload can be resumed: without faults, another client takes every session that has not ended to `completed`. */
  async #finish(): Promise<void> {
    // The stored parts may be from either.
    const tries: Contents[] = this.#mayChange() ? ['original', 'changed'] : ['original'];
    for (const contents of tries) {
      this.#stage.file.become(contents, true);
      if (await this.#resume()) return;
    }
  }

  /** Resumes the upload. Returns whether there is nothing more to try. */
  async #resume(): Promise<boolean> {
    const before = await this.#sessions();
    const isCompleted = before.some(({ status }) => status === 'completed');
    const hasEnded = before.length > 0 && before.every(({ status }) => ENDED.has(status));
    const client = this.#start({ by: 'id', journal: false });
    const outcome = await this.#judge(client);
    if (hasEnded) return true;
    if (outcome?.kind === 'completed' && isCompleted && outcome.result.bytesSent > 0) {
      this.#violated('bytes were sent for a completed session');
    }
    if (outcome?.kind === 'gave up' && outcome.code !== 'SOURCE_CHANGED') {
      this.#violated(`with everything in order, the upload ended with ${outcome.code}: ${client.lastWords}`);
    }
    return outcome?.kind === 'completed';
  }

  async #abortSession(): Promise<void> {
    if (this.#sessionId === undefined) return;
    const { toServer } = this.#stage;
    // A fault may replace its answer; only the session counts.
    await ModelClient.abort(toServer.url, this.#sessionId).catch(() => {});
  }

  async #abortAll(): Promise<void> {
    const { toServer } = this.#stage;
    for (const { sessionId, status } of await this.#sessions()) {
      if (isTerminal(status) || status === 'completing') continue;
      const aborted = await ModelClient.abort(toServer.url, sessionId).catch((error: unknown) => {
        // A sweep may be cleaning up after a killed server at this moment, and on a busy host a reset connection may be noticed late.
        // The next round tries again, and no session stays open for ever.
        if (!isUploadError(error, 'SESSION_NOT_OPEN', 'SESSION_BUSY', 'SERVER_UNREACHABLE')) throw error;
      });
      if (aborted && aborted.status !== 'aborted') this.#violated(`an abort left a session ${aborted.status}`);
    }
  }

  async #sessions(): Promise<UploadSession[]> {
    return (await this.#stage.sessions.list({ limit: 100 })).sessions;
  }

  #violated(what: string): void {
    this.#stage.ledger.violations.push(what);
  }
}
