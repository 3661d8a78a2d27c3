import { describe, expect, it } from 'vitest';
import { watchDeadline } from '../../../src/cli/progress/deadline-warning.ts';
import { stoppingWords } from '../../../src/cli/progress/stopping-words.ts';
import { updateView, viewOf } from '../../../src/cli/progress/upload-view.ts';
import { listenForInterruption } from '../../../src/cli/upload/interruption.ts';
import type { EngineEvent } from '../../../src/client/progress/events.ts';
import { aContext, NOON } from '../../support/client/cli-run.ts';
import { someFigures } from '../../support/client/progress-figures.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

describe('listenForInterruption', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('aborts at the first %s and ends the process at the second with %i', (signal, exitCode) => {
    const context = aContext();
    const told: string[] = [];
    const interruption = listenForInterruption(context, (message) => told.push(message));
    interruption.words = { first: () => 'no part is in flight', last: () => 'Resume: partway resume ses_1' };
    context.signals.emit(signal);
    expect(interruption.signal.aborted).toBe(true);
    expect(context.exits).toEqual([]);
    expect(told).toEqual(['stopping: no part is in flight (once more to stop at once)']);
    context.signals.emit(signal);
    expect(context.exits).toEqual([exitCode]);
    expect(context.stderr.lines.at(-1)).toBe('Resume: partway resume ses_1');
  });

  it('removes its signal listeners', () => {
    const context = aContext();
    listenForInterruption(context, () => {}).dispose();
    expect(context.signals.eventNames()).toEqual([]);
  });
});

describe('the words of the first Ctrl-C', () => {
  const session = aWireSession();
  const IN_FLIGHT = 'the parts in flight get up to 5 s to finish';
  const offline = (what: string): EngineEvent => ({
    type: 'offline',
    what,
    since: NOON,
    reason: 'ECONNREFUSED',
    nextTryInMs: 500,
  });
  const figures = (inFlightBytes: number): EngineEvent => ({ type: 'progress', ...someFigures({ inFlightBytes }) });

  it.each<[string, readonly EngineEvent[], string]>([
    ['before anything was sent', [], 'no part is in flight'],
    ['while stored parts are compared', [{ type: 'verifying', verifiedBytes: 1, totalBytes: 9 }], 'no part is in flight'],
    ['while parts are sent', [figures(1)], IN_FLIGHT],
    ['in a pause, with a part on the wire', [{ type: 'paused' }, figures(1)], IN_FLIGHT],
    ['in a pause, with none', [{ type: 'paused' }, figures(0)], 'no part is in flight'],
    [
      'in an outage of the store',
      [offline('the object store')],
      'the object store is not waited for any longer; no part is in flight',
    ],
    [
      'in an outage of the server, while parts are sent',
      [figures(1), offline('the partway server')],
      `the partway server is not waited for any longer; ${IN_FLIGHT}`,
    ],
    [
      'while the server completes the upload',
      [figures(1), { type: 'finishing' }],
      'all parts are stored, and the server may complete the upload all the same',
    ],
  ])('are true %s', (_, events, words) => {
    const view = events.reduce((before, event) => updateView(before, event, NOON), viewOf(session));
    expect(stoppingWords(view)).toBe(words);
  });
});

describe('watchDeadline', () => {
  const HOUR_MS = 3_600_000;
  const session = aWireSession({ partsKeptUntil: new Date(NOON + HOUR_MS).toISOString() });
  const progress = (secondsRemaining: number | null): EngineEvent => ({ type: 'progress', ...someFigures({ secondsRemaining }) });

  function watch() {
    const warnings: string[] = [];
    let instant = 0;
    let stepMs = 0;
    const check = watchDeadline(
      session,
      () => NOON + stepMs + instant,
      (message) => warnings.push(message),
      () => instant,
    );
    const at = (ms: number, event: EngineEvent) => {
      instant = ms;
      check(event);
    };
    const setWallClock = (ms: number) => {
      stepMs = ms;
    };
    return { warnings, at, setWallClock };
  }

  it('warns once when the upload ends later than the store keeps parts', () => {
    const { warnings, at } = watch();
    at(40_000, progress(7_200));
    at(50_000, progress(7_200));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('MINIO_API_STALE_UPLOADS_EXPIRY');
  });

  it('warns although the wall clock was set back by an hour meanwhile', () => {
    const { warnings, at, setWallClock } = watch();
    at(1_000, progress(14_400));
    setWallClock(-HOUR_MS);
    at(40_000, progress(14_400));
    expect(warnings).toHaveLength(1);
  });

  it('ignores the estimates of the first seconds, and does not warn if there is time', () => {
    const { warnings, at } = watch();
    at(1_000, progress(7_200));
    at(40_000, progress(600));
    at(50_000, progress(null));
    expect(warnings).toEqual([]);
  });
});
