import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderProgressLine as render, renderProgressSentence } from '../../../src/cli/progress/progress-line.ts';
import { type UploadPhase, type UploadView, updateView, viewOf } from '../../../src/cli/progress/upload-view.ts';
import { encodeLine } from '../../../src/cli/terminal/styled-text.ts';
import { GiB, MiB } from '../../../src/session/part-plan.ts';
import { NOON } from '../../support/client/cli-run.ts';
import { someFigures } from '../../support/client/progress-figures.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

/** An instant in the time zone of the machine that runs the tests. */
const AT_14_26 = new Date(2026, 10, 23, 14, 26).getTime();
const PLAIN = { colour: false, unicode: true };

/** Returns the text as it is sent to a terminal. */
function renderProgressLine(...line: Parameters<typeof render>): string {
  return encodeLine(render(...line));
}

function aView(overrides: Partial<UploadView> = {}): UploadView {
  return {
    size: 42 * GiB,
    storedBytes: 21 * GiB,
    inFlightBytes: 5.25 * GiB,
    partsStored: 64,
    partCount: 128,
    bytesPerSecond: 88.1 * MiB,
    averageBytesPerSecond: 80 * MiB,
    secondsRemaining: 312,
    retries: 0,
    offlineMs: 0,
    wastedBytes: 0,
    phase: { name: 'sending' },
    ...overrides,
  };
}

describe('the line on a terminal', () => {
  it('shows stored, in flight and missing as different cells', () => {
    expect(renderProgressLine(aView(), 140, PLAIN, AT_14_26)).toBe(
      ' 50 %  ████████████████▒▒▒▒░░░░░░░░░░░░  21.0/42.0 GiB  88.1 MiB/s  5 min 12 s left, done 14:31  average 80.0 MiB/s  64/128 parts',
    );
  });

  it('works without Unicode', () => {
    expect(renderProgressLine(aView(), 140, { colour: false, unicode: false }, NOON)).toContain(
      '################++++............',
    );
  });

  it('colours the bar only', () => {
    const line = renderProgressLine(aView(), 140, { colour: true, unicode: true }, NOON);
    expect(line).toContain('\x1b[32m████████████████\x1b[39m\x1b[36m▒▒▒▒\x1b[39m\x1b[2m░░░░░░░░░░░░\x1b[22m');
  });

  it('leaves out the least important fields on a narrow terminal', () => {
    const at = (columns: number, view: Partial<UploadView> = {}) => renderProgressLine(aView(view), columns, PLAIN, AT_14_26);
    const troubles = { retries: 2, offlineMs: 63_000, wastedBytes: 4 * MiB };
    expect(at(120, troubles)).toBe(
      ' 50 %  ███████████▒▒░░░░░░░░░  21.0/42.0 GiB  88.1 MiB/s  5 min 12 s left, done 14:31  average 80.0 MiB/s  64/128 parts',
    );
    expect(at(160, troubles)).toBe(
      ' 50 %  ████████████▒▒▒░░░░░░░░░░  21.0/42.0 GiB  88.1 MiB/s  5 min 12 s left, done 14:31  average 80.0 MiB/s  2 retries, 1 min 3 s offline, 4.00 MiB sent again',
    );
    expect(at(80)).toBe(' 50 %  ████████▒▒░░░░░░  21.0/42.0 GiB  88.1 MiB/s  5 min 12 s left, done 14:31');
    expect(at(60)).toBe(' 50 %  ████▒░░░  21.0/42.0 GiB  88.1 MiB/s  5 min 12 s left');
    expect(at(50)).toBe(' 50 %  21.0/42.0 GiB  88.1 MiB/s  5 min 12 s left');
    expect(at(24)).toBe(' 50 %  21.0/42.0 GiB');
    expect(at(4)).toBe(' 50');
  });

  it('is always narrower than the terminal', () => {
    const bytes = fc.integer({ min: 0, max: 2 ** 45 });
    const phase: fc.Arbitrary<UploadPhase> = fc.constantFrom(
      { name: 'sending' },
      { name: 'finishing' },
      { name: 'verifying', verifiedBytes: 3 * GiB, totalBytes: 21 * GiB },
      { name: 'offline', what: 'the object store', since: NOON, reason: 'ECONNREFUSED', nextTryAt: NOON + 20_000 },
    );
    const view = fc.record({
      stored: bytes,
      inFlight: bytes,
      rest: bytes,
      speed: bytes,
      seconds: fc.nat(),
      retries: fc.nat(),
      phase,
    });
    fc.assert(
      fc.property(view, fc.integer({ min: 1, max: 300 }), ({ stored, inFlight, rest, speed, seconds, ...others }, columns) => {
        const figures = {
          size: stored + rest,
          storedBytes: stored,
          inFlightBytes: inFlight,
          bytesPerSecond: speed,
          averageBytesPerSecond: speed,
          secondsRemaining: seconds,
          ...others,
        };
        expect(renderProgressLine(aView(figures), columns, PLAIN, NOON).length).toBeLessThan(columns);
      }),
    );
  });

  it('counts down while nothing can be reached', () => {
    const since = new Date(2026, 10, 23, 14, 2, 10).getTime();
    const phase = { name: 'offline', what: 'the object store', since, reason: 'ECONNREFUSED', nextTryAt: NOON + 4_100 } as const;
    const at = (columns: number, ms = 0) => renderProgressLine(aView({ phase }), columns, PLAIN, NOON + ms);
    expect(at(140)).toContain(
      '21.0/42.0 GiB  offline since 14:02:10 (the object store cannot be reached: ECONNREFUSED), trying again in 5 s',
    );
    expect(at(140, 5_000)).toContain('trying again now');
    // Text that does not fit is shortened, not left out.
    expect(at(80)).toBe(' 50 %  offline since 14:02:10 (the object store: ECONNREFUSED), again in 5 s');
    expect(at(70)).toBe(' 50 %  offline since 14:02:10 (the object store), again in 5 s');
    expect(at(60)).toBe(' 50 %  offline since 14:02:10, trying again in 5 s');
    expect(at(45)).toBe(' 50 %  offline since 14:02:10, again in 5 s');
    expect(at(30)).toBe(' 50 %  offline since 14:02:10');
    expect(at(20)).toBe(' 50 %  ██████▒░░░░░');
  });

  it('says "waiting", not "offline", about a server that answers but cannot serve', () => {
    const since = new Date(2026, 10, 23, 14, 2, 10).getTime();
    const outage = { name: 'offline', what: 'the partway server', refuses: true, since, nextTryAt: NOON + 2_000 } as const;
    const view = aView({ phase: { ...outage, reason: 'Its disk is full.' } });
    expect(renderProgressLine(view, 140, PLAIN, NOON)).toContain(
      'waiting since 14:02:10 (the partway server cannot serve now: Its disk is full), trying again in 2 s',
    );
    expect(renderProgressLine(view, 90, PLAIN, NOON)).toContain(
      'waiting since 14:02:10 (the partway server: Its disk is full), again in 2 s',
    );
  });

  it('names the last phase, and does not say 100 % before it is true', () => {
    const view = aView({ storedBytes: 42 * GiB - 1, phase: { name: 'finishing' } });
    expect(renderProgressLine(view, 120, PLAIN, NOON)).toMatch(/^ 99 % .* finishing \(the store is assembling\)$/);
  });

  it('says that the upload is paused, and how to continue, once no part is on the wire', () => {
    const line = (isPartUnderWay: boolean, columns: number) =>
      renderProgressLine(aView({ phase: { name: 'paused', isPartUnderWay } }), columns, PLAIN, NOON);
    expect(line(true, 80)).toMatch(/ {2}pausing: parts on the wire finish$/);
    expect(line(false, 80)).toMatch(/ {2}paused; to go on: partway continue$/);
    expect(line(false, 20)).toBe(' 50 %  paused');
  });

  it('says how much has been compared on resume', () => {
    const view = aView({ phase: { name: 'verifying', verifiedBytes: 3 * GiB, totalBytes: 21 * GiB } });
    expect(renderProgressLine(view, 120, PLAIN, NOON)).toContain('comparing the stored parts with the file: 3.00 of 21.0 GiB');
    expect(renderProgressLine(view, 50, PLAIN, NOON)).toBe(' 50 %  comparing with the file: 3.00 of 21.0 GiB');
  });

  it('has a line for an empty file', () => {
    const view = aView({
      size: 0,
      storedBytes: 0,
      inFlightBytes: 0,
      partCount: 1,
      partsStored: 0,
      bytesPerSecond: 0,
      averageBytesPerSecond: 0,
      secondsRemaining: null,
    });
    expect(renderProgressLine(view, 80, PLAIN, NOON)).toBe('  0 %  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0/0 bytes  0 bytes/s');
  });
});

it('says the same as a sentence in a log', () => {
  expect(renderProgressSentence(aView({ retries: 1 }), AT_14_26)).toBe(
    '50 %  21.0 of 42.0 GiB stored, 5.25 GiB in flight  88.1 MiB/s  average 80.0 MiB/s  5 min 12 s left, done 14:31  64/128 parts  1 retry',
  );
});

describe('the view of an upload', () => {
  const start = viewOf(aWireSession({ storedBytes: 48 * MiB, partsStored: 3 }));
  const figures = { type: 'progress', ...someFigures({ size: start.size, partsStored: 4, partCount: 10 }) } as const;

  it('begins with the bytes that are stored', () => {
    expect(start).toMatchObject({ storedBytes: 48 * MiB, partsStored: 3, phase: { name: 'starting' } });
  });

  it('stays offline while figures go on being published, until something says online', () => {
    const offline = updateView(
      start,
      { type: 'offline', what: 'the store', since: NOON, reason: 'ECONNREFUSED', nextTryInMs: 5_000 },
      NOON,
    );
    const still = updateView(offline, { ...figures, storedBytes: 48 * MiB, inFlightBytes: 10 }, NOON + 1);
    expect(still.phase).toMatchObject({ name: 'offline', nextTryAt: NOON + 5_000 });
    expect(updateView(still, { type: 'online', what: 'the store', outageMs: 6_000 }, NOON + 2).phase).toEqual({
      name: 'sending',
    });
  });

  it('is not sending yet if the store has more than the session said', () => {
    const asked = updateView(start, { ...figures, storedBytes: 64 * MiB }, NOON);
    expect(asked).toMatchObject({ storedBytes: 64 * MiB, phase: { name: 'starting' } });
    expect(updateView(asked, { ...figures, storedBytes: 80 * MiB, bytesPerSecond: 1 }, NOON).phase.name).toBe('sending');
  });

  it('stays paused whatever the links and the comparison do, until it is continued', () => {
    let view = updateView(start, { type: 'paused' }, NOON);
    for (const event of [
      { type: 'offline', what: 'the store', since: NOON, reason: 'ECONNREFUSED', nextTryInMs: 1 },
      { type: 'online', what: 'the store', outageMs: 1 },
      { type: 'verifying', verifiedBytes: 1, totalBytes: 2 },
      { ...figures, storedBytes: 64 * MiB, inFlightBytes: 0 },
    ] as const) {
      view = updateView(view, event, NOON);
      expect(view.phase, event.type).toEqual({ name: 'paused', isPartUnderWay: false });
    }
    const draining = updateView(view, { ...figures, storedBytes: 64 * MiB, inFlightBytes: 1 }, NOON);
    expect(draining.phase).toEqual({ name: 'paused', isPartUnderWay: true });
    expect(updateView(view, { type: 'resumed' }, NOON).phase).toEqual({ name: 'sending' });
    const finishing = updateView(view, { type: 'finishing' }, NOON);
    expect(updateView(finishing, { type: 'paused' }, NOON).phase).toEqual({ name: 'finishing' });
  });

  it('is sending as soon as bytes move, and finishing when the engine says so', () => {
    const sending = updateView(start, { ...figures, storedBytes: 48 * MiB, inFlightBytes: 1 }, NOON);
    expect(sending.phase.name).toBe('sending');
    expect(updateView(sending, { type: 'finishing' }, NOON)).toMatchObject({ inFlightBytes: 0, phase: { name: 'finishing' } });
  });

  it('stays offline while either server or store is unreachable', () => {
    const offline = (what: string) => ({ type: 'offline', what, since: NOON, reason: 'ECONNREFUSED', nextTryInMs: 1 }) as const;
    const both = updateView(updateView(start, offline('the store'), NOON), offline('the server'), NOON);
    const storeIsBack = updateView(both, { type: 'online', what: 'the store', outageMs: 1 }, NOON);
    expect(storeIsBack.phase).toMatchObject({ name: 'offline', what: 'the server' });
    expect(updateView(storeIsBack, { type: 'online', what: 'the server', outageMs: 1 }, NOON).phase).toEqual({ name: 'sending' });
  });

  it('shows comparing only while nothing is in flight', () => {
    const comparing = { type: 'verifying', verifiedBytes: 1, totalBytes: 2 } as const;
    const sending = updateView(start, { ...figures, storedBytes: 48 * MiB, inFlightBytes: 1 }, NOON);
    expect(updateView(start, comparing, NOON).phase.name).toBe('verifying');
    expect(updateView(sending, comparing, NOON).phase.name).toBe('sending');
    const sent = updateView(sending, { ...figures, storedBytes: 48 * MiB, inFlightBytes: 0 }, NOON);
    expect(updateView(sent, comparing, NOON).phase.name).toBe('verifying');
  });
});
