import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatClock } from '../../../src/cli/format/durations.ts';
import { createReporter } from '../../../src/cli/progress/create-reporter.ts';
import type { EngineEvent, ProgressFigures, UploadResult } from '../../../src/client/progress/events.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { aContext, NOON, type TestContext, TextCollector } from '../../support/client/cli-run.ts';
import { someFigures } from '../../support/client/progress-figures.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

const SESSION = aWireSession();
const RESULT: UploadResult = {
  sessionId: SESSION.sessionId,
  bucket: 'videos',
  key: 'C0142.MOV',
  status: 'completed',
  bytes: 160 * MiB,
  bytesSent: 160 * MiB,
  seconds: 16,
  averageBytesPerSecond: 10 * MiB,
  retries: 0,
  offlineSeconds: 0,
  wastedBytes: 0,
  etag: '"e-10"',
  checksum: 'AAAAAA==',
  proof: 'full',
  unprovenBytes: 0,
};

function progress(storedBytes: number, overrides: Partial<ProgressFigures> = {}): EngineEvent {
  return {
    type: 'progress',
    ...someFigures({
      size: 160 * MiB,
      storedBytes,
      inFlightBytes: 4 * MiB,
      partsStored: storedBytes / (16 * MiB),
      partCount: 10,
      bytesPerSecond: 10 * MiB,
      averageBytesPerSecond: 8 * MiB,
      secondsRemaining: 8,
      ...overrides,
    }),
  };
}

/** Eight seconds after noon. */
const DONE = formatClock(new Date(NOON + 8_000)).slice(0, 5);

function aClock() {
  let instant = NOON;
  return { now: () => instant, pass: (ms: number) => (instant += ms) };
}

function onTerminal(env: TestContext['env'] = {}) {
  return aContext({ env: { LANG: 'C.UTF-8', ...env }, stderr: new TextCollector({ columns: 80 }) });
}

describe('a wall clock that is set back', () => {
  it.each([true, false])('silences no progress (JSON: %s)', (json) => {
    const clock = aClock();
    const context = aContext({ now: clock.now });
    const reporter = createReporter(context, { json, quiet: json });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    reporter.event(progress(8 * MiB));
    clock.pass(-3 * 86_400_000);
    const output = json ? context.stdout : context.stderr;
    const before = output.lines.length;
    reporter.event(progress(8 * MiB));
    expect(output.lines).toHaveLength(before + 1);
  });
});

describe('in a log', () => {
  it('writes the beginning, each 10 %, changes of state, and the result on stdout', () => {
    const context = aContext();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    reporter.strategy({
      strategy: 'multipart',
      network: undefined,
      reason: 'the file is larger than 1 GB',
      partSize: 16 * MiB,
      partCount: 10,
    });
    for (let part = 0; part <= 4; part++)
      reporter.event(progress(part * 8 * MiB, part < 4 ? {} : { retries: 1, wastedBytes: MiB }));
    reporter.event({
      type: 'offline',
      what: 'the object store',
      since: new Date(2026, 10, 23, 14, 2, 10).getTime(),
      reason: 'ECONNREFUSED',
      nextTryInMs: 19_500,
    });
    reporter.event({ type: 'offline', what: 'the object store', since: NOON, reason: 'ECONNREFUSED', nextTryInMs: 5_000 });
    reporter.event({ type: 'online', what: 'the object store', outageMs: 61_000 });
    reporter.event({ type: 'verifying', verifiedBytes: 1, totalBytes: 32 * MiB });
    reporter.event(progress(32 * MiB));
    reporter.event({ type: 'verifying', verifiedBytes: 2, totalBytes: 32 * MiB });
    reporter.event({ type: 'healed', lostBytes: 16 * MiB });
    reporter.event({ type: 'finishing' });
    reporter.done(RESULT, 'C0142.MOV');
    expect(context.stderr.lines).toEqual([
      `uploading C0142.MOV (160 MiB) → videos/C0142.MOV  session ${SESSION.sessionId}`,
      'strategy: multipart (10 parts of 16.0 MiB), because the file is larger than 1 GB',
      `10 %  16.0 of 160 MiB stored, 4.00 MiB in flight  10.0 MiB/s  average 8.00 MiB/s  8 s left, done ${DONE}  1/10 parts`,
      `20 %  32.0 of 160 MiB stored, 4.00 MiB in flight  10.0 MiB/s  average 8.00 MiB/s  8 s left, done ${DONE}  2/10 parts  1 retry, 1.00 MiB sent again`,
      'offline since 14:02:10 (the object store cannot be reached: ECONNREFUSED), trying again in 20 s',
      'online again after 1 min 1 s (the object store)',
      'comparing 32.0 MiB of stored parts with the file',
      'the store lost 16.0 MiB of the stored parts; sending them again under the same session',
      'finishing (the store is assembling)',
    ]);
    expect(context.stdout.text).toBe(
      `uploaded C0142.MOV → videos/C0142.MOV  160 MiB in 16 s (10.0 MiB/s)  session ${SESSION.sessionId}  crc32 AAAAAA== verified\n`,
    );
  });

  it.each([
    ['log', () => aContext()],
    ['terminal', () => onTerminal({ NO_COLOR: '1' })],
  ])('says once why a file is read again, also on a %s', (_, newContext) => {
    const context = newContext();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    for (let time = 0; time < 3; time++) {
      reporter.event({ type: 'rereading', reason: 'no-change-time' });
      reporter.event({ type: 'rereading', reason: 'times-changed' });
    }
    reporter.end();
    expect(
      context.stderr.text.match(/its file system keeps no change time that tells whether a file is as it was\n/g),
    ).toHaveLength(1);
    expect(context.stderr.text.match(/comparing what is stored with it again, the upload goes on\n/g)).toHaveLength(1);
  });

  it('writes a line every 10 s however slow the upload is', () => {
    const clock = aClock();
    const context = aContext({ now: clock.now });
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    for (let second = 1; second <= 25; second++) {
      clock.pass(1_000);
      reporter.event(progress(0));
    }
    expect(context.stderr.lines.slice(1)).toHaveLength(2);
  });

  it('says that it is paused, that it goes on, and which limit holds; no progress meanwhile', () => {
    const clock = aClock();
    const context = aContext({ now: clock.now });
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    reporter.event(progress(8 * MiB));
    reporter.event({ type: 'paused' });
    for (let second = 1; second <= 25; second++) {
      clock.pass(1_000);
      reporter.event(progress(8 * MiB));
    }
    reporter.event({ type: 'resumed' });
    reporter.event({ type: 'limit', bytesPerSecond: 2 * MiB });
    reporter.event({ type: 'limit', bytesPerSecond: null });
    expect(context.stderr.lines.slice(1)).toEqual([
      'paused: parts on the wire finish, no new one begins; to go on: partway continue',
      'going on after a pause',
      'limit from now on: 2.00 MiB/s',
      'limit from now on: none',
    ]);
  });

  it('says why no part gets through, what was done about it, and what helps', () => {
    const context = aContext();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    const blocked = {
      type: 'offline',
      what: 'the way to the object store',
      blocked: true,
      since: new Date(2026, 10, 23, 14, 2, 10).getTime(),
      reason: 'something between here and the object store cuts every connection after about 3 s',
      nextTryInMs: 5_000,
    } as const;
    reporter.event(blocked);
    reporter.event(blocked);
    reporter.event({ type: 'replanned', session: { ...SESSION, partSize: 6 * MiB }, reason: blocked.reason });
    reporter.event(blocked);
    reporter.event({ type: 'notice', code: 'PARTS_CUT', message: 'Use another network.' });
    expect(context.stderr.lines.slice(1)).toEqual([
      `waiting since 14:02:10 (the way to the object store lets no part through: ${blocked.reason}), trying again in 5 s`,
      `parts of 6.00 MiB from now on: ${blocked.reason}`,
      `waiting since 14:02:10 (the way to the object store lets no part through: ${blocked.reason}), trying again in 5 s`,
      'warning: Use another network.',
    ]);
  });

  it('says what helps with --quiet as well, and as JSON', () => {
    for (const json of [false, true]) {
      const context = aContext();
      const reporter = createReporter(context, { json, quiet: true });
      reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
      reporter.event({ type: 'notice', code: 'PARTS_CUT', message: 'Use another network.' });
      expect(context.stderr.lines).toEqual(['warning: Use another network.']);
      if (json)
        expect(context.stdout.jsonLines).toContainEqual({ type: 'notice', code: 'PARTS_CUT', message: 'Use another network.' });
    }
  });

  it('reports each outage once, and again when it comes back', () => {
    const context = aContext();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    const offline = (what: string) =>
      reporter.event({ type: 'offline', what, since: NOON, reason: 'ECONNREFUSED', nextTryInMs: 1 });
    for (const what of ['the store', 'the server', 'the store', 'the server']) offline(what);
    reporter.event({ type: 'online', what: 'the store', outageMs: 1_000 });
    offline('the store');
    expect(context.stderr.lines.slice(1).map((line) => line.replace(/since .* \((.*) cannot be reached:.*$/, '$1'))).toEqual([
      'offline the store',
      'offline the server',
      'online again after 1 s (the store)',
      'offline the store',
    ]);
  });

  it('says how much of a resumed upload is stored already', () => {
    const context = aContext();
    const session = aWireSession({ storedBytes: 48 * MiB, partsStored: 3 });
    createReporter(context, { json: false, quiet: false }).begin({ name: 'C0142.MOV', session, created: false });
    expect(context.stderr.lines[1]).toBe('resumed: 48.0 MiB already stored');
  });

  it('sums up in the result what a bad network has cost', () => {
    const context = aContext();
    const troubled = { ...RESULT, retries: 2, offlineSeconds: 63, wastedBytes: 4 * MiB };
    createReporter(context, { json: false, quiet: false }).done(troubled, 'C0142.MOV');
    expect(context.stdout.text).toContain(
      '  160 MiB in 16 s (10.0 MiB/s), 2 retries, 1 min 3 s offline, 4.00 MiB sent again  session ',
    );
  });

  it('says "verified" only about what was compared with the file', () => {
    const context = aContext();
    const partial: UploadResult = { ...RESULT, proof: 'partial', unprovenBytes: 96 * MiB };
    createReporter(context, { json: false, quiet: false }).done(partial, 'C0142.MOV');
    expect(context.stdout.text).toMatch(/ {2}crc32 AAAAAA== not proven in full: 96\.0 MiB were not compared with the file\n$/);
    expect(context.stdout.text).not.toContain('verified');
  });

  it('says so when nothing had to be sent', () => {
    const context = aContext();
    createReporter(context, { json: false, quiet: false }).done({ ...RESULT, bytesSent: 0, seconds: 0 }, 'C0142.MOV');
    expect(context.stdout.text).toMatch(/^already uploaded C0142\.MOV → videos\/C0142\.MOV {2}160 MiB, nothing was sent/);
  });
});

it('shows warnings, errors and the result only, with --quiet', () => {
  const context = aContext();
  const reporter = createReporter(context, { json: false, quiet: true });
  reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
  reporter.event({ type: 'finishing' });
  reporter.warn('mind the gap');
  reporter.done(RESULT, 'C0142.MOV');
  expect(context.stderr.text).toBe('warning: mind the gap\n');
  expect(context.stdout.lines).toHaveLength(1);
});

describe('with --json', () => {
  it('writes one object a line, the last a summary, and progress at most once a second', () => {
    const clock = aClock();
    const context = aContext({ now: clock.now });
    const reporter = createReporter(context, { json: true, quiet: true });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    for (let step = 0; step <= 20; step++) {
      reporter.event(progress(step * MiB));
      clock.pass(100);
    }
    reporter.event({ type: 'part', partNumber: 1, etag: '"1"', checksum: 'AAAAAA==', size: 16 * MiB });
    reporter.done(RESULT, 'C0142.MOV');
    const lines = context.stdout.jsonLines;
    expect(lines.map(({ type }) => type)).toEqual(['session', 'progress', 'progress', 'progress', 'part', 'summary']);
    expect(lines.at(-1)).toEqual({ type: 'summary', ...RESULT });
  });

  it('leaves the bar on a terminal', () => {
    const context = onTerminal();
    const reporter = createReporter(context, { json: true, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    reporter.end();
    expect(context.stderr.text).toContain('  0 %');
    expect(context.stdout.jsonLines).toHaveLength(1);
  });
});

describe('on a terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('redraws at most 10 times a second, and not when nothing changed', () => {
    const context = onTerminal();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    const drawn = () => context.stderr.text.split('\r\x1b[2K').length - 1;
    const before = drawn();
    for (let step = 1; step <= 1_000; step++) {
      reporter.event(progress(step * 1_000));
      vi.advanceTimersByTime(1);
    }
    expect(drawn() - before).toBeLessThanOrEqual(10);
    const afterwards = drawn();
    vi.advanceTimersByTime(1_000);
    expect(drawn()).toBe(afterwards);
    reporter.end();
  });

  it('removes the line before other text, never hides the cursor, and draws nothing afterwards', () => {
    const context = onTerminal();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    reporter.warn('mind the gap');
    reporter.done(RESULT, 'C0142.MOV');
    const { text } = context.stderr;
    vi.advanceTimersByTime(1_000);
    expect(text).toContain('\r\x1b[2K\x1b[33mwarning:\x1b[39m mind the gap\n');
    expect(text.endsWith('\r\x1b[2K')).toBe(true);
    expect(text).not.toContain('\x1b[?25l');
    expect(context.stderr.text).toBe(text);
  });

  it('prints a reason that does not fit into the line once, above it', () => {
    const context = onTerminal();
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    const reason = 'something between here and the object store answered: HTTP 502 (text/html)';
    const since = new Date(2026, 10, 23, 14, 2, 10).getTime();
    for (let tries = 0; tries < 3; tries++)
      reporter.event({ type: 'offline', what: 'the object store', since, reason, nextTryInMs: 2_000 });
    reporter.end();
    const line = `offline since 14:02:10 (the object store cannot be reached: ${reason}), trying again in 2 s\n`;
    expect(context.stderr.text.split(line)).toHaveLength(2);
  });

  it('counts down to the next try while offline, and says finishing when the store assembles', () => {
    const clock = aClock();
    const context = aContext({ stderr: new TextCollector({ columns: 120 }), now: clock.now });
    const reporter = createReporter(context, { json: false, quiet: false });
    const lastDrawn = () => context.stderr.text.split('\r\x1b[2K').at(-1);
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    const since = new Date(2026, 10, 23, 14, 2, 10).getTime();
    reporter.event({ type: 'offline', what: 'the object store', since, reason: 'ECONNREFUSED', nextTryInMs: 20_000 });
    for (const left of [20, 19, 18]) {
      vi.advanceTimersByTime(100);
      expect(lastDrawn()).toContain(
        `offline since 14:02:10 (the object store cannot be reached: ECONNREFUSED), trying again in ${left} s`,
      );
      clock.pass(1_000);
    }
    reporter.event({ type: 'online', what: 'the object store', outageMs: 1 });
    reporter.event({ type: 'finishing' });
    vi.advanceTimersByTime(100);
    expect(lastDrawn()).toContain('finishing (the store is assembling)');
    reporter.end();
  });

  it('draws a line of 80 columns if the terminal does not know its width', () => {
    const context = aContext({ stderr: new TextCollector({ columns: 0 }) });
    const reporter = createReporter(context, { json: false, quiet: false });
    reporter.begin({ name: 'C0142.MOV', session: SESSION, created: true });
    reporter.end();
    expect(context.stderr.text).toContain('0/160 MiB');
  });

  it('writes no colours with NO_COLOR, and plain lines if TERM is dumb', () => {
    const uncoloured = onTerminal({ NO_COLOR: '1' });
    createReporter(uncoloured, { json: false, quiet: false }).begin({ name: 'C0142.MOV', session: SESSION, created: true });
    expect(uncoloured.stderr.text).not.toContain('\x1b[3');
    const dumb = onTerminal({ TERM: 'dumb' });
    createReporter(dumb, { json: false, quiet: false }).begin({ name: 'C0142.MOV', session: SESSION, created: true });
    expect(dumb.stderr.text).not.toContain('\x1b');
  });

  it('writes only ASCII if the locale is not UTF-8', () => {
    const context = onTerminal({ LANG: 'C' });
    createReporter(context, { json: false, quiet: false }).begin({ name: 'C0142.MOV', session: SESSION, created: true });
    expect([...context.stderr.text].filter((char) => char > '~')).toEqual([]);
  });
});
