import type { PartPlan } from '../../session/part-plan.ts';
import { createRefusals } from '../control-plane/refusals.ts';
import { DEFAULT_MAX_OUTAGE_MS } from '../control-plane/retry.ts';
import { createSessionCalls } from '../control-plane/session-calls.ts';
import { createSlots } from '../flow/slots.ts';
import { createUploadControl, type UploadControl } from '../flow/upload-control.ts';
import { elapsedMs, startAwakeClock } from '../network/awake-clock.ts';
import { type Connections, createConnections } from '../network/connections.ts';
import { createLink } from '../network/link.ts';
import { startLiveness } from '../network/liveness.ts';
import { probeServer } from '../network/probes.ts';
import { createAcknowledgedParts } from '../part/acknowledged-parts.ts';
import { askToSend, putNothing, refuseOnlyTls } from '../part/part-questions.ts';
import { createPartSender } from '../part/part-sender.ts';
import { createPartUrls } from '../part/part-urls.ts';
import { createStoreProbe } from '../part/store-probe.ts';
import { createWayToStore } from '../part/way-to-store.ts';
import type { RunTotals, UploadResult } from '../progress/events.ts';
import { Readings } from '../source/readings.ts';
import { Rereader } from '../source/rereader.ts';
import { startProgressSender } from './progress-sender.ts';
import type { RunUploadOptions } from './run-options.ts';
import { createRunProgress, type RunProgress } from './run-progress.ts';
import { createRunSignals } from './run-signals.ts';
import { UploadRun } from './upload-run.ts';

const SERVER = 'the partway server';
const STORE = 'the object store';
const STALL_MS = 45_000;
const PROGRESS_EVERY_MS = 250;
/** Chunked is for links where a part that failed three times will fail again; others are more patient. */
const TRIES = { single: 5, chunked: 3, multipart: 5 } as const;
/** Chunked sends its parts in order, so one at a time; multipart finds out how many pay. */
const MOST_PARTS_IN_FLIGHT = { single: 1, chunked: 1, multipart: 16 } as const;

export interface Run {
  toCompletion(): Promise<UploadResult>;
  readonly totals: RunTotals;
  close(): Promise<void>;
}

/**
 * Builds one run of one client on one session, with the plan that the session has. Each collaborator is given those above it.
 * @param before Totals of this upload with an earlier plan.
 */
export function createRun(options: RunUploadOptions, before?: RunTotals): Run {
  const { controlPlane, session, source, maxOutageMs = DEFAULT_MAX_OUTAGE_MS, control = createUploadControl() } = options;
  const { makeAgent } = controlPlane;
  const { sessionId, size, strategy, partSize, partCount } = session;
  const plan: PartPlan = { strategy, partSize, partCount };
  const clock = startAwakeClock();
  const { now } = clock;

  const signals = createRunSignals(options.signal, options.drainMs);
  const { drain } = signals;

  const progress = createRunProgress({ session, before, onEvent: options.onEvent, now });
  const { counter, notify } = progress;
  const createLinkTo = (what: string, hasAnswered: () => boolean, probe: (signal: AbortSignal) => Promise<void>) =>
    createLink({ what, probe, hasAnswered, maxOutageMs, pausedMs: () => control.pausedMs, onEvent: progress.notifyOfLink, now });

  const readings = new Readings(source.identity.ctimeNs === undefined ? undefined : options.knownChecksums);
  const rereader = new Rereader({ source, plan, readings, onEvent: notify });

  const serverLink = createLinkTo(
    SERVER,
    () => controlPlane.hasAnswered,
    (signal) => probeServer(controlPlane, signal),
  );
  const calls = createSessionCalls({
    controlPlane,
    sessionId,
    link: serverLink,
    // Refusals come over connections that work, so that no answer got lost.
    newRefused: createRefusals({ what: SERVER, onEvent: notify, now }),
    signal: drain,
    maxOutageMs,
    now: () => now() - control.pausedMs,
  });
  const acknowledged = createAcknowledgedParts({ plan, size, list: calls.parts, signal: drain });

  const slots = createSlots({
    partSize,
    most: options.concurrency ?? MOST_PARTS_IN_FLIGHT[strategy],
    fixed: strategy !== 'multipart',
    bytesSent: () => counter.bytesSent,
    now,
  });
  const way = createWayToStore({
    plan,
    size,
    nothingStored: () => counter.storedBytes === 0,
    narrow: slots.narrow,
    isLimited: () => control.limiter.bytesPerSecond !== undefined,
    onSmallerParts: signals.endRound,
    // No link: connections that worked are not renewed when parts get through again.
    onEvent: notify,
    now,
  });

  const urls = createPartUrls({
    plan,
    size,
    presign: calls.presign,
    presignOnce: async (partNumber, signal) =>
      (await controlPlane.presign(sessionId, { partNumbers: [partNumber] }, signal)).parts[0],
    onMoved: way.moved,
    now,
  });
  const storeProbe = createStoreProbe({
    urls,
    putNothing: (part, signal) => putNothing(part, signal, makeAgent),
    makeAgent,
    answered: controlPlane.answered,
  });
  const storeLink = createLinkTo(STORE, storeProbe.hasAnswered, storeProbe.probe);

  const connections = createConnections(makeAgent);
  const liveness = startLiveness({
    link: storeLink,
    now,
    elapsed: elapsedMs,
    signal: signals.stop,
    onTrouble: slots.trouble,
  });
  const sendPart = createPartSender({
    source,
    urls,
    connections,
    link: storeLink,
    storeProbe,
    way,
    counter,
    control,
    liveness,
    findStored: calls.findStored,
    look: () => rereader.look(),
    askToSend: (part, signal) => askToSend(part, signal, makeAgent),
    refuseOnlyTls: (answer, url) => refuseOnlyTls(answer, url, makeAgent),
    maxTries: TRIES[strategy],
    stallMs: options.stallMs ?? STALL_MS,
    maxOutageMs,
    onEvent: notify,
    now,
    random: Math.random,
  });
  progress.onReconnected(() => {
    acknowledged.excuse();
    calls.renew();
    // Idle connections of before the outage may be dead without knowing it, whichever link noticed that it is over.
    connections.renew();
  });

  const progressSender = startProgressSender({
    clientId: crypto.randomUUID(),
    counter,
    send: (report, signal) => controlPlane.report(sessionId, report, signal),
    onEnded: signals.end,
  });
  const progressTimer = setInterval(() => {
    progress.show();
    if (!control.paused) slots.tick();
  }, PROGRESS_EVERY_MS);
  const stopFollowing = followControl(control, { progress, slots, connections });

  const uploadRun = new UploadRun({
    session,
    source,
    plan,
    verifyResume: options.verifyResume ?? 'full',
    signals,
    progress,
    progressSender,
    calls,
    acknowledged,
    readings,
    rereader,
    slots,
    sendPart,
    way,
  });
  return {
    toCompletion: () => uploadRun.toCompletion(),
    get totals() {
      return counter.totals();
    },
    async close() {
      signals.close();
      clearInterval(progressTimer);
      liveness.stop();
      clock.stop();
      stopFollowing();
      await progressSender.stop();
      connections.close();
    },
  };
}

interface Controlled {
  readonly progress: RunProgress;
  readonly slots: { restart(): void };
  readonly connections: Connections;
}

/** Applies pauses, resumes and limits to a run, and tells of them. Returns the way to stop. */
function followControl(control: UploadControl, { progress, slots, connections }: Controlled): () => void {
  const onControl: Parameters<UploadControl['listen']>[0] = (event) => {
    if (event.type !== 'paused') slots.restart();
    // A pause may last longer than a router remembers connections on which nothing moves.
    if (event.type === 'resumed') connections.renew();
    progress.notify(event);
    progress.show();
  };
  const stop = control.listen(onControl);
  if (control.paused) onControl({ type: 'paused' });
  return stop;
}
