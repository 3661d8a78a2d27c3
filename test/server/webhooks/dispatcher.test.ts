import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { noteConnectionError } from '../../../src/outbound/connection-errors.ts';
import type { Log } from '../../../src/server/core/deps.ts';
import { type DeliveryDeps, deliver } from '../../../src/server/webhooks/delivery.ts';
import { startDispatcher } from '../../../src/server/webhooks/dispatcher.ts';
import type { Message, Sign } from '../../../src/server/webhooks/message.ts';
import type { Post, WebhookAnswer } from '../../../src/server/webhooks/post.ts';
import type { WebhookEvent } from '../../../src/session/webhook-event.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { createTestDatabase, needsPostgres } from '../../support/database/postgres.ts';
import {
  aUniqueName,
  expected,
  insertInStatus,
  insertOpenSession,
  insertSession,
  NOON,
} from '../../support/database/sessions.ts';
import { interpose } from '../../support/interpose.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const TAKEN = { status: 204, retryAfter: undefined };
const BROKEN = { status: 500, retryAfter: undefined };

/** The message is the event itself: what signing does is tested elsewhere. */
const sign: Sign = (event) => ({ headers: { 'webhook-id': event.eventId }, body: JSON.stringify(event) });
const eventOf = (message: Message) => JSON.parse(message.body) as WebhookEvent;
type Answer = (event: WebhookEvent, signal: AbortSignal) => WebhookAnswer | Promise<WebhookAnswer>;

/** Never answers. */
const untilStopped: Answer = (_event, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** A dispatcher on a clock that only the test moves, and a webhook that answers as the test says. */
class Bench {
  readonly sent: WebhookEvent[] = [];
  readonly logged: string[] = [];
  /** The outcomes of all attempts, as the metrics get them. */
  readonly outcomes: string[] = [];
  now = NOON + SECOND;
  answer: Answer = () => TAKEN;
  readonly #store: SessionStore;
  readonly #waiting = new Set<() => void>();

  constructor(store: SessionStore) {
    this.#store = store;
  }

  readonly #log: Log = Object.fromEntries(
    ['info', 'warn', 'error'].map((level) => [
      level,
      (fields: { err?: Error }, message: string) =>
        this.#note(() => this.logged.push(`${level}: ${message} ${fields.err?.message ?? ''}${JSON.stringify(fields)}`)),
    ]),
  ) as unknown as Log;

  get deps(): DeliveryDeps {
    const post: Post = async (message, signal) => {
      this.#note(() => this.sent.push(eventOf(message)));
      return this.answer(eventOf(message), signal);
    };
    // Every change of the outbox is a moment to look whether a test may go on.
    const outbox = interpose(this.#store.outbox, async (_method, call) => {
      const result = await call();
      this.#note(() => undefined);
      return result;
    });
    return {
      outbox,
      sign,
      post,
      now: () => this.now,
      random: () => 0,
      log: this.#log,
      onAttempt: ({ outcome }) => this.outcomes.push(outcome),
    };
  }

  start(): { stop(): Promise<void> } {
    const dispatcher = startDispatcher(this.deps, { pollIntervalMs: 2 });
    onTestFinished(() => dispatcher.stop());
    return dispatcher;
  }

  /** Resolves once `isSo`. */
  until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = async () => {
        try {
          if (!(await isSo())) return;
          this.#waiting.delete(notify);
          resolve();
        } catch (error) {
          reject(error);
        }
      };
      const notify = () => void look();
      this.#waiting.add(notify);
      notify();
    });
  }

  untilAll(status: WebhookEvent['status'], count: number): Promise<void> {
    return this.until(async () => (await this.#store.outbox.list({ status, limit: 1_000 })).length === count);
  }

  #note(change: () => unknown): void {
    change();
    for (const notify of [...this.#waiting]) notify();
  }
}

describe('the dispatcher', () => {
  let store: SessionStore;
  let bench: Bench;
  beforeEach(() => {
    store = openSqliteStore(':memory:');
    bench = new Bench(store);
    return () => store.close();
  });

  const onlyEvent = async (sessionId: string) => {
    const [event] = await store.outbox.ofSession(sessionId);
    if (event === undefined) throw new Error('no event');
    return event;
  };

  it('sends every event once where the webhook accepts them, those of a session in their order', async () => {
    for (let count = 0; count < 30; count++) await insertInStatus(store, 'completed', { key: aUniqueName('key') });
    bench.start();
    await bench.untilAll('delivered', 60);

    expect(new Set(bench.sent.map(({ eventId }) => eventId)).size).toBe(60);
    expect(bench.sent).toHaveLength(60);
    for (const { sessionId } of new Map(bench.sent.map(({ session }) => [session.sessionId, session])).values()) {
      expect(bench.sent.filter(({ session }) => session.sessionId === sessionId).map(({ sequence }) => sequence)).toStrictEqual([
        1, 2,
      ]);
    }
    expect(bench.logged).toStrictEqual([]);
  });

  it('notices what happens while it runs', async () => {
    bench.start();
    await insertSession(store);

    await bench.untilAll('delivered', 1);
  });

  it('sends eight at a time', async () => {
    for (let count = 0; count < 20; count++) await insertSession(store, { key: aUniqueName('key') });
    let onTheWire = 0;
    let most = 0;
    const release: (() => void)[] = [];
    bench.answer = async () => {
      most = Math.max(most, ++onTheWire);
      await new Promise<void>((resolve) => release.push(resolve));
      onTheWire -= 1;
      return TAKEN;
    };
    bench.start();
    for (let done = 0; done < 20; done++) {
      await bench.until(() => release.length > 0);
      if (done === 0) await bench.until(() => release.length === 8);
      release.shift()?.();
    }
    await bench.untilAll('delivered', 20);

    expect(most).toBe(8);
  });

  it('sends failed events again later under the same id, and logs once that it fails and once that it works', async () => {
    const { sessionId } = await insertSession(store);
    bench.answer = () => BROKEN;
    bench.start();
    await bench.until(async () => (await onlyEvent(sessionId)).lastError === 'HTTP 500');
    expect((await onlyEvent(sessionId)).nextAttemptAt).toBe(bench.now + 5 * SECOND);
    bench.now += 5 * SECOND;
    await bench.until(async () => (await onlyEvent(sessionId)).nextAttemptAt === bench.now + 30 * SECOND);
    bench.answer = () => TAKEN;
    bench.now += 30 * SECOND;
    await bench.untilAll('delivered', 1);

    expect(bench.sent.map(({ eventId }) => eventId)).toStrictEqual(Array(3).fill((await onlyEvent(sessionId)).eventId));
    await bench.until(() => bench.logged.length === 2);
    expect(bench.logged).toMatchObject([
      expect.stringMatching(/^warn: the webhook does not accept events.*HTTP 500/),
      expect.stringMatching(/^info: the webhook accepts events again/),
    ]);
  });

  it('keeps the end of a session back while its beginning fails, and lets other sessions pass', async () => {
    const failing = await insertInStatus(store, 'completed', { key: 'failing' });
    await insertInStatus(store, 'completed', { key: 'fine' });
    bench.answer = ({ session }) => (session.sessionId === failing ? BROKEN : TAKEN);
    bench.start();
    await bench.untilAll('delivered', 2);
    await bench.until(async () => (await onlyEvent(failing)).lastError !== null);
    expect(bench.sent.map(({ session, sequence }) => `${session.key} ${sequence}`).sort()).toStrictEqual([
      'failing 1',
      'fine 1',
      'fine 2',
    ]);

    bench.answer = () => TAKEN;
    bench.now += 5 * SECOND;
    await bench.untilAll('delivered', 4);

    expect(bench.sent.slice(3).map(({ sequence }) => sequence)).toStrictEqual([1, 2]);
  });

  it('gives up after 24 hours, and goes on with the end of the session', async () => {
    const { sessionId } = await insertOpenSession(store);
    bench.answer = ({ sequence }) => (sequence === 1 ? BROKEN : TAKEN);
    bench.start();
    await bench.until(async () => (await onlyEvent(sessionId)).lastError !== null);
    await store.changeStatus(expected(sessionId, 'open'), { to: 'completed', at: NOON + 23 * HOUR, etag: '"e"' });
    bench.now = NOON + 24 * HOUR;
    await bench.untilAll('dead', 1);
    await bench.untilAll('delivered', 1);

    expect(await store.outbox.ofSession(sessionId)).toMatchObject([
      { status: 'dead', lastError: 'HTTP 500', attempts: 2 },
      { status: 'delivered', type: 'upload.completed' },
    ]);
    await bench.until(() => bench.logged.some((line) => /^warn: event is dead.*HTTP 500/.test(line)));
  });

  it('tries an event that is older than that once nevertheless, as after a long stop of the server', async () => {
    await insertSession(store);
    bench.now = NOON + 100 * HOUR;
    bench.start();

    await bench.untilAll('delivered', 1);
  });

  it('tries a dead event for another 24 hours once it is replayed', async () => {
    const { sessionId } = await insertSession(store);
    bench.answer = () => ({ status: 410, retryAfter: undefined });
    bench.start();
    await bench.untilAll('dead', 1);
    bench.now = NOON + 100 * HOUR;
    bench.answer = () => BROKEN;

    await store.outbox.replayDead(bench.now);
    await bench.until(async () => (await onlyEvent(sessionId)).lastError === 'HTTP 500');

    expect(await onlyEvent(sessionId)).toMatchObject({ status: 'pending', nextAttemptAt: bench.now + 5 * SECOND });
  });

  it('sends nothing at all for as long as the webhook asks', async () => {
    await insertSession(store, { key: 'first' });
    bench.answer = () => ({ status: 429, retryAfter: '60' });
    bench.start();
    await bench.until(() => bench.logged.length === 1);
    bench.answer = () => TAKEN;
    await insertSession(store, { key: 'second' });
    bench.now += 59 * SECOND;
    await otherwiseSent(store);
    expect(bench.sent).toHaveLength(1);

    bench.now += SECOND;
    await bench.untilAll('delivered', 2);
  });

  it('sends an event that another dispatcher leased and never settled as soon as the lease has ended, and not before', async () => {
    const { sessionId } = await insertSession(store);
    const leaseMs = 5 * SECOND;
    const stuck = new Bench(store);
    stuck.answer = untilStopped;
    const stuckDispatcher = startDispatcher(stuck.deps, { pollIntervalMs: 2, leaseMs });
    await stuck.until(() => stuck.sent.length === 1);
    bench.now += leaseMs - 1;
    bench.start();
    await otherwiseSent(store);
    expect(bench.sent).toStrictEqual([]);

    bench.now += 1;
    await bench.untilAll('delivered', 1);
    await stuckDispatcher.stop();

    expect(bench.sent.map(({ eventId }) => eventId)).toStrictEqual([(await onlyEvent(sessionId)).eventId]);
    expect(await onlyEvent(sessionId)).toMatchObject({ status: 'delivered', attempts: 2 });
  });

  it('stops at once: running attempts are cut off, and due again', async () => {
    const { sessionId } = await insertSession(store);
    bench.answer = untilStopped;
    const dispatcher = bench.start();
    await bench.until(() => bench.sent.length === 1);

    await dispatcher.stop();

    expect(await onlyEvent(sessionId)).toMatchObject({ status: 'pending', nextAttemptAt: bench.now });
    expect(bench.logged).toStrictEqual([]);
    expect(bench.outcomes).toStrictEqual([]);
  });

  it('goes on when the database was away, also during a delivery', async () => {
    await insertSession(store);
    let failures = 0;
    const { deps } = bench;
    const outbox = interpose(deps.outbox, (method, call) => {
      if ((method === 'lease' && failures === 0) || (method === 'markDelivered' && failures === 1)) {
        failures += 1;
        return Promise.reject(new Error('the database is away'));
      }
      return call();
    });
    const dispatcher = startDispatcher({ ...deps, outbox }, { pollIntervalMs: 2 });
    onTestFinished(() => dispatcher.stop());
    await bench.until(() => bench.logged.length === 2);
    expect(bench.logged).toMatchObject([
      expect.stringMatching(/^error: the database could not be asked which events are due/),
      expect.stringMatching(/^error: the outcome of a delivery was not recorded/),
    ]);

    // The lease ends.
    bench.now += 30 * SECOND;
    await bench.untilAll('delivered', 1);

    expect(bench.sent).toHaveLength(2);
  });
});

/** Resolves when an idle dispatcher has polled ten times: by then, one that may send has sent. */
async function otherwiseSent(store: SessionStore): Promise<void> {
  const idle = new Bench(store);
  idle.now = NOON - HOUR;
  const { deps } = idle;
  let looked = 0;
  const outbox = interpose(deps.outbox, (_method, call) => {
    looked += 1;
    return call();
  });
  const dispatcher = startDispatcher({ ...deps, outbox }, { pollIntervalMs: 2 });
  await idle.until(() => looked > 10);
  await dispatcher.stop();
}

describe('one delivery', () => {
  let store: SessionStore;
  let bench: Bench;
  beforeEach(() => {
    store = openSqliteStore(':memory:');
    bench = new Bench(store);
    return () => store.close();
  });

  async function deliverOne(answer: Answer, timeoutMs?: number): Promise<WebhookEvent> {
    const { sessionId } = await insertSession(store);
    const [event] = await store.outbox.lease(bench.now, bench.now + HOUR, 1);
    if (event === undefined) throw new Error('nothing is due');
    bench.answer = answer;
    await deliver(bench.deps, event, new AbortController().signal, timeoutMs);
    const [after] = await store.outbox.ofSession(sessionId);
    if (after === undefined) throw new Error('the event is gone');
    return after;
  }

  it.each([200, 201, 202, 204, 299])('has worked with status %d', async (status) => {
    expect(await deliverOne(() => ({ status, retryAfter: undefined }))).toMatchObject({ status: 'delivered', lastError: null });
  });

  it.each([
    [301, 'HTTP 301: redirects are not followed'],
    [400, 'HTTP 400'],
    [404, 'HTTP 404'],
    [500, 'HTTP 500'],
  ])('is made again after status %d', async (status, lastError) => {
    const after = await deliverOne(() => ({ status, retryAfter: undefined }));
    expect(after).toMatchObject({ status: 'pending', lastError, nextAttemptAt: bench.now + 5 * SECOND });
  });

  it('is the last one after 410', async () => {
    expect(await deliverOne(() => ({ status: 410, retryAfter: undefined }))).toMatchObject({
      status: 'dead',
      lastError: 'HTTP 410',
    });
  });

  it('is reported to the metrics with its outcome', async () => {
    await deliverOne(() => TAKEN);
    await deliverOne(() => BROKEN);
    await deliverOne(() => ({ status: 410, retryAfter: undefined }));
    await deliverOne(() => Promise.reject(noteConnectionError(new Error('no way'))));

    expect(bench.outcomes).toStrictEqual(['delivered', 'failed', 'dead', 'failed']);
  });

  it.each([429, 503])('is made again when the webhook asks for it with %d', async (status) => {
    const after = await deliverOne(() => ({ status, retryAfter: '90' }));
    expect(after.nextAttemptAt).toBe(bench.now + 90 * SECOND);
  });

  it('is made again as usual where another status has a Retry-After', async () => {
    expect((await deliverOne(() => ({ status: 500, retryAfter: '90' }))).nextAttemptAt).toBe(bench.now + 5 * SECOND);
  });

  it('is made again after a connection that failed, with its code', async () => {
    const refused = noteConnectionError(Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:443'), { code: 'ECONNREFUSED' }));
    expect(await deliverOne(() => Promise.reject(refused))).toMatchObject({ status: 'pending', lastError: 'ECONNREFUSED' });
  });

  it('is made again where there was no answer in time', async () => {
    const hangs: Answer = (_event, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    expect(await deliverOne(hangs, 10)).toMatchObject({ status: 'pending', lastError: 'no answer within 0.01 s' });
  });

  it('is made again after a bug, which is logged', async () => {
    const bug = Object.assign(new Error('a bug of ours that looks like a connection'), { code: 'ECONNRESET' });
    expect(await deliverOne(() => Promise.reject(bug))).toMatchObject({
      status: 'pending',
      lastError: 'an error in the server; its log has it',
    });
    expect(bench.logged).toMatchObject([expect.stringContaining('a bug of ours')]);
  });
});

describe('two dispatchers on one PostgreSQL database', () => {
  needsPostgres();

  it('share the work: each event is sent once, and those of a session in their order', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const stores = await Promise.all([openPostgresStore(database.url), openPostgresStore(database.url)]);
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
    const [one, two] = stores.map((store) => new Bench(store)) as [Bench, Bench];
    const sent: WebhookEvent[] = [];
    for (const bench of [one, two]) {
      bench.answer = (event) => {
        sent.push(event);
        return TAKEN;
      };
    }
    await Promise.all(
      Array.from({ length: 40 }, () =>
        insertInStatus(stores[0] as SessionStore, 'completed', { key: aUniqueName('key'), owner: aUniqueName('o') }),
      ),
    );
    const dispatchers = [one.start(), two.start()];
    await Promise.race([one.untilAll('delivered', 80), two.untilAll('delivered', 80)]);
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()));

    expect(sent).toHaveLength(80);
    expect(new Set(sent.map(({ eventId }) => eventId)).size).toBe(80);
    expect(one.sent.length, 'one of them did everything').toBeGreaterThan(0);
    expect(two.sent.length, 'one of them did everything').toBeGreaterThan(0);
    const firsts = new Set<string>();
    for (const { sequence, session } of sent) {
      expect(sequence === 1 || firsts.has(session.sessionId), 'the end came before the beginning').toBe(true);
      firsts.add(session.sessionId);
    }
  });
});
