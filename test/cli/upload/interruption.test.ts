import { describe, expect, it } from 'vitest';
import { watchDeadline } from '../../../src/cli/progress/deadline-warning.ts';
import { listenForInterruption } from '../../../src/cli/upload/interruption.ts';
import type { EngineEvent } from '../../../src/client/progress/events.ts';
import { aContext, NOON } from '../../support/cli-run.ts';
import { someFigures } from '../../support/progress-figures.ts';
import { aWireSession } from '../../support/wire-sessions.ts';

describe('listenForInterruption', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('aborts at the first %s and ends the process at the second with %i', (signal, exitCode) => {
    const context = aContext();
    const interruption = listenForInterruption(context);
    interruption.lastWords = () => 'Resume: partway resume ses_1';
    context.signals.emit(signal);
    expect(interruption.signal.aborted).toBe(true);
    expect(context.exits).toEqual([]);
    context.signals.emit(signal);
    expect(context.exits).toEqual([exitCode]);
    expect(context.stderr.lines.at(-1)).toBe('Resume: partway resume ses_1');
  });

  it('gives the signals back', () => {
    const context = aContext();
    listenForInterruption(context).dispose();
    expect(context.signals.eventNames()).toEqual([]);
  });
});

describe('watchDeadline', () => {
  const HOUR_MS = 3_600_000;
  const session = aWireSession({ partsKeptUntil: new Date(NOON + HOUR_MS).toISOString() });
  const progress = (secondsRemaining: number | null): EngineEvent => ({ type: 'progress', ...someFigures({ secondsRemaining }) });

  function watch() {
    const warnings: string[] = [];
    let instant = NOON;
    const check = watchDeadline(
      session,
      () => instant,
      (message) => warnings.push(message),
    );
    const at = (ms: number, event: EngineEvent) => {
      instant = NOON + ms;
      check(event);
    };
    return { warnings, at };
  }

  it('warns once when the upload ends later than the store keeps parts', () => {
    const { warnings, at } = watch();
    at(40_000, progress(7_200));
    at(50_000, progress(7_200));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('MINIO_API_STALE_UPLOADS_EXPIRY');
  });

  it('does not believe the estimates of the first seconds, and keeps quiet when there is time', () => {
    const { warnings, at } = watch();
    at(1_000, progress(7_200));
    at(40_000, progress(600));
    at(50_000, progress(null));
    expect(warnings).toEqual([]);
  });
});
