import type { EngineEvent, ProgressFigures } from '../../client/progress/events.ts';
import type * as wire from '../../contract/wire.ts';

export type UploadPhase =
  | { readonly name: 'starting' }
  | { readonly name: 'verifying'; readonly verifiedBytes: number; readonly totalBytes: number }
  | { readonly name: 'sending' }
  /** Parts on the wire may still finish. */
  | { readonly name: 'paused'; readonly isPartUnderWay: boolean }
  | {
      readonly name: 'offline';
      readonly what: string;
      readonly refuses?: true;
      readonly blocked?: true;
      readonly since: number;
      readonly reason: string;
      readonly nextTryAt: number;
    }
  | { readonly name: 'finishing' };

export type OfflineEvent = Extract<EngineEvent, { type: 'offline' }>;

/** The events of a running upload so far, summed up for a person. */
export interface UploadView extends ProgressFigures {
  readonly phase: UploadPhase;
}

export function viewOf(session: wire.Session): UploadView {
  return {
    size: session.size,
    storedBytes: session.storedBytes,
    inFlightBytes: 0,
    partsStored: session.partsStored,
    partCount: session.partCount,
    bytesPerSecond: 0,
    averageBytesPerSecond: 0,
    secondsRemaining: null,
    retries: 0,
    offlineMs: 0,
    wastedBytes: 0,
    phase: { name: 'starting' },
  };
}

export function updateView(view: UploadView, event: EngineEvent, now: number): UploadView {
  switch (event.type) {
    case 'session':
      return { ...viewOf(event.session), phase: view.phase };
    case 'progress': {
      const { type: _, ...figures } = event;
      return { ...figures, phase: phaseWhileFiguresMove(view, figures) };
    }
    case 'verifying':
      return { ...view, phase: phaseWhileComparing(view, event) };
    case 'paused':
      return view.phase.name === 'finishing' ? view : { ...view, phase: pausedWith(view) };
    case 'resumed':
      return view.phase.name === 'paused' ? { ...view, phase: { name: 'sending' } } : view;
    case 'offline':
      return view.phase.name === 'paused' ? view : { ...view, phase: outageOf(event, now) };
    case 'online':
      return { ...view, phase: phaseAfterOutage(view, event.what) };
    case 'finishing':
      return { ...view, inFlightBytes: 0, phase: { name: 'finishing' } };
    case 'replanned':
      return { ...viewOf(event.session), phase: { name: 'sending' } };
    case 'notice':
    case 'part':
    case 'retry':
    case 'healed':
    case 'rereading':
    case 'limit':
      return view;
  }
}

function pausedWith({ inFlightBytes }: ProgressFigures): UploadPhase {
  return { name: 'paused', isPartUnderWay: inFlightBytes > 0 };
}

export function outageOf({ type: _, nextTryInMs, ...outage }: OfflineEvent, now: number) {
  return { name: 'offline', ...outage, nextTryAt: now + nextTryInMs } as const;
}

/** Figures end only the starting phase: a timer may publish them during an outage or while finishing. */
function phaseWhileFiguresMove(view: UploadView, figures: ProgressFigures): UploadPhase {
  if (view.phase.name === 'paused') return pausedWith(figures);
  // More stored bytes than the session said do not mean that sending has begun: the store may just have been asked.
  const isReady = figures.inFlightBytes > 0 || figures.bytesPerSecond > 0;
  return (view.phase.name === 'starting' || view.phase.name === 'verifying') && isReady ? { name: 'sending' } : view.phase;
}

/** Server and store can be unreachable at the same time; the return of one says nothing about the other. */
function phaseAfterOutage({ phase }: UploadView, what: string): UploadPhase {
  if (phase.name === 'paused' || (phase.name === 'offline' && phase.what !== what)) return phase;
  return { name: 'sending' };
}

/** Comparing runs beside sending, and is shown only while nothing else moves. */
function phaseWhileComparing(
  { phase, inFlightBytes }: UploadView,
  event: { verifiedBytes: number; totalBytes: number },
): UploadPhase {
  if (phase.name === 'offline' || phase.name === 'paused' || (phase.name === 'sending' && inFlightBytes > 0)) return phase;
  return { name: 'verifying', verifiedBytes: event.verifiedBytes, totalBytes: event.totalBytes };
}
