import type { PartsResponse, Session } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { type PartPlan, partRange } from '../../session/part-plan.ts';
import { partNumbersOf } from '../../session/part-ranges.ts';
import { isProgrammingError } from '../../session/programming-error.ts';
import { checkListing, checkSigned, fitsPlan } from '../control-plane/answers/parts.ts';
import { valid } from '../control-plane/answers/valid.ts';
import { createRefusals } from '../control-plane/refusals.ts';
import { probeServer } from '../control-plane/server-probe.ts';
import { createSessionCalls } from '../control-plane/session-calls.ts';
import { createLanes, type Turn } from '../flow/slots.ts';
import { createUploadControl } from '../flow/upload-control.ts';
import { elapsedMs, startAwakeClock } from '../network/awake-clock.ts';
import { type Connections, createConnections } from '../network/connections.ts';
import { createLink } from '../network/link.ts';
import { startLiveness } from '../network/liveness.ts';
import { sharedSignal } from '../network/shared-signal.ts';
import { createStoreProbe } from '../network/store-probe.ts';
import { createAcknowledgedParts } from '../part/acknowledged-parts.ts';
import { askToSend, putNothing, refuseOnlyTls } from '../part/part-questions.ts';
import { createPartSender, type PartSignals, type SentPart } from '../part/part-sender.ts';
import { createPresignQueue } from '../part/presign-queue.ts';
import { createWayToStore, SmallerPartsNeeded } from '../part/way-to-store.ts';
import type { ControlEvent, RunTotals, UploadEvent, UploadResult } from '../progress/events.ts';
import { createTally } from '../progress/progress-counter.ts';
import { createWallTimes } from '../progress/wall-times.ts';
import { combineChecksums } from '../source/part-checksums.ts';
import { headStart, proveObject, proveParts, type StoreClaims, unprovenBytes } from '../source/proof.ts';
import { Readings } from '../source/readings.ts';
import { Rereader } from '../source/rereader.ts';
import { partChanged } from '../source/source-changes.ts';
import { startReporting } from './progress-sender.ts';
import { lastWordOn, leadsToAnotherRound, Replanned } from './round-end.ts';
import type { RunUploadOptions } from './upload.ts';
import { checkedAnswer, interrupted, resultOf } from './upload-result.ts';

const SERVER = 'the partway server';
const DAY_MS = 86_400_000;
const PROGRESS_EVERY_MS = 250;
/** Long enough for what is on the wire to arrive on most links. */
const DRAIN_MS = 5_000;
/** Chunked is for links where a part that failed three times will fail again; others are more patient. */
const TRIES = { single: 5, chunked: 3, multipart: 5 } as const;
/** Chunked sends its parts in order, so one at a time; multipart finds out how many pay. */
const MOST_PARTS_IN_FLIGHT = { single: 1, chunked: 1, multipart: 16 } as const;
/** Times that the list of parts may come back with gaps although all were sent: more, and the store is not one to rely on. */
const MAX_ROUNDS_IN_VAIN = 5;

/** One run of one client on one session, with the plan that it has. */
export class UploadRun {
  readonly #options: RunUploadOptions;
  readonly #plan: PartPlan;
  readonly #onEvent: (event: UploadEvent) => void;
  /** The CRC32s of this source's parts, as far as they were read or vouched for. */
  readonly #readings: Readings;
  readonly #rereader: Rereader;
  readonly #verifyResume;
  /** Of stored parts that were neither: what `verifyResume` leaves unread. */
  #claims: StoreClaims = new Map();
  /** Steps of the wall clock and sleep change nothing of outages, durations and speeds. */
  readonly #clock = startAwakeClock();
  readonly #tally;
  readonly #connections: Connections;
  readonly #calls;
  readonly #acknowledged;
  readonly #stopListening: () => void;
  readonly #lanes;
  readonly #liveness;
  readonly #sendPart;
  readonly #way;
  readonly #reporting;
  /** Aborted for good: a failure, or an interruption whose drain time is over. */
  readonly #stop = new AbortController();
  readonly #drain: AbortSignal;
  /** Ends what the present round sends. */
  #endRound: (reason: unknown) => void = () => {};
  readonly #progressTimer: NodeJS.Timeout;
  #drainTimer: NodeJS.Timeout | undefined;

  /** @param before What this upload did with an earlier plan. */
  constructor(options: RunUploadOptions, before?: RunTotals) {
    const { controlPlane, session, source, knownChecksums, signal, maxOutageMs = DAY_MS } = options;
    this.#options = options;
    const { makeAgent } = controlPlane;
    this.#connections = createConnections(makeAgent);
    this.#plan = { strategy: session.strategy, partSize: session.partSize, partCount: session.partCount };
    const { now } = this.#clock;
    const withWallTimes = createWallTimes(now, Date.now);
    const tell = (event: UploadEvent) => {
      this.#tally.observe(event);
      options.onEvent?.(withWallTimes(event));
    };
    this.#onEvent = (event) => {
      if (event.type === 'online') {
        this.#acknowledged.excuse();
        this.#calls.renew();
        // Idle connections of before the outage may be dead without knowing it, whoever noticed that it is over.
        this.#connections.renew();
      }
      tell(event);
    };
    const hasChangeTime = source.identity.ctimeNs !== undefined;
    this.#readings = new Readings(hasChangeTime ? knownChecksums : undefined);
    this.#rereader = new Rereader({ source, plan: this.#plan, readings: this.#readings, onEvent: this.#onEvent });
    this.#verifyResume = options.verifyResume ?? 'full';
    this.#tally = createTally(session, now, before);
    const control = options.control ?? createUploadControl();
    this.#lanes = createLanes({
      partSize: session.partSize,
      most: options.concurrency ?? MOST_PARTS_IN_FLIGHT[session.strategy],
      fixed: session.strategy !== 'multipart',
      bytesSent: () => this.#tally.bytesSent,
      now,
    });
    this.#drain = sharedSignal(this.#stop.signal, ...(signal ? [signal] : []));
    const onEvent = this.#onEvent;
    const link = (what: string, hasAnswered: () => boolean, probe: (signal: AbortSignal) => Promise<void>) =>
      createLink({ what, probe, hasAnswered, maxOutageMs, pausedMs: () => control.pausedMs, onEvent, now });
    const storeProbe = createStoreProbe({
      // Without its checksum, since nothing is put. Not through outages: it is asked during one.
      sign: async (partNumber, probeSignal) =>
        (await controlPlane.presign(session.sessionId, { partNumbers: [partNumber] }, probeSignal)).parts[0],
      putNothing: (part, probeSignal) => putNothing(part, probeSignal, makeAgent),
      makeAgent,
      onMoved: (from, to) => this.#way.moved(from, to),
      now,
      answered: controlPlane.answered,
    });
    const storeLink = link('the object store', storeProbe.hasAnswered, storeProbe.probe);
    this.#calls = createSessionCalls({
      controlPlane,
      sessionId: session.sessionId,
      link: link(
        SERVER,
        () => controlPlane.hasAnswered,
        (probeSignal) => probeServer(controlPlane, probeSignal),
      ),
      // Over connections that work: no answer got lost.
      newRefused: createRefusals({ what: SERVER, onEvent: tell, now }),
      signal: this.#drain,
      maxOutageMs,
      now: () => now() - control.pausedMs,
    });
    this.#acknowledged = createAcknowledgedParts({
      plan: this.#plan,
      size: session.size,
      list: this.#calls.parts,
      signal: this.#drain,
    });
    this.#liveness = startLiveness({
      link: storeLink,
      now,
      elapsed: elapsedMs,
      signal: this.#stop.signal,
      onTrouble: () => this.#lanes.trouble(),
    });
    const presign = createPresignQueue(async (checksums) => {
      const request = { partNumbers: [...checksums.keys()], checksums: Object.fromEntries(checksums) };
      const { parts } = await this.#calls.presign(request);
      if (parts[0]) storeProbe.learn(parts[0]);
      return valid(() => checkSigned(parts, this.#plan, session.size));
    });
    this.#way = createWayToStore({
      plan: this.#plan,
      size: session.size,
      nothingStored: () => this.#tally.storedBytes === 0,
      narrow: () => this.#lanes.narrow(),
      isLimited: () => control.limiter.bytesPerSecond !== undefined,
      onSmallerParts: (needed) => this.#endRound(needed),
      // Connections that worked are not renewed when parts get through again: no answer got lost.
      onEvent: tell,
      now,
    });
    this.#sendPart = createPartSender({
      source,
      sign: presign.sign,
      connections: this.#connections,
      link: storeLink,
      storeProbe,
      way: this.#way,
      tally: this.#tally,
      control,
      liveness: this.#liveness,
      inPlace: this.#lanes.inPlace,
      findStored: this.#calls.findStored,
      look: () => this.#rereader.look(),
      askToSend: (part, askSignal) => askToSend(part, askSignal, makeAgent),
      refuseOnlyTls: (answer, url) => refuseOnlyTls(answer, url, makeAgent),
      maxTries: TRIES[session.strategy],
      stallMs: options.stallMs ?? 45_000,
      maxOutageMs,
      onEvent,
      now,
      random: Math.random,
    });
    this.#reporting = startReporting({
      clientId: crypto.randomUUID(),
      tally: this.#tally,
      send: (report, signal) => controlPlane.report(session.sessionId, report, signal),
      onEnded: (error) => this.#stop.abort(error),
    });
    signal?.addEventListener('abort', this.#startDrain, { once: true });
    if (signal?.aborted) this.#startDrain();
    this.#progressTimer = setInterval(() => {
      this.#showProgress();
      if (!control.paused) this.#lanes.tick();
    }, PROGRESS_EVERY_MS);
    this.#stopListening = control.listen(this.#onControl);
    if (control.paused) this.#onControl({ type: 'paused' });
  }

  async toCompletion(): Promise<UploadResult> {
    try {
      return await this.#rounds();
    } catch (error) {
      // Whatever broke because of an interruption is the interruption. A refusal that came before it is not.
      if (this.#options.signal?.aborted && !(error instanceof UploadError)) {
        throw interrupted(this.#options.session, this.#tally.storedBytes);
      }
      throw error;
    }
  }

  get totals(): RunTotals {
    return this.#tally.totals();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the run is over'));
    clearInterval(this.#progressTimer);
    clearTimeout(this.#drainTimer);
    this.#liveness.stop();
    this.#clock.stop();
    this.#stopListening();
    this.#options.signal?.removeEventListener('abort', this.#startDrain);
    await this.#reporting.stop();
    this.#connections.close();
  }

  /** Send what is missing, complete; again if the store lost something meanwhile. */
  async #rounds(): Promise<UploadResult> {
    for (let inVain = 0; ; inVain++) {
      if (inVain > 0) await this.#reporting.startOver();
      const listing = await this.#acknowledged.listing();
      if (listing.status === 'completed') return await this.#completedElsewhere();
      if (inVain > 0 || !fitsPlan(listing, this.#plan)) await this.#checkPlanUnchanged();
      valid(() => checkListing(listing, this.#plan));
      this.#takeStock(listing);
      try {
        await this.#transfer(listing);
        return await this.#complete();
      } catch (error) {
        if (error instanceof SmallerPartsNeeded) await this.#replan(error);
        else if (!leadsToAnotherRound(error) || inVain >= MAX_ROUNDS_IN_VAIN) throw lastWordOn(error);
      }
    }
  }

  /** A lost answer to our Complete, or somebody else's: in either case the object must be this source. */
  async #completedElsewhere(): Promise<UploadResult> {
    const { session, source } = this.#options;
    const completed = checkedAnswer(await this.#calls.session(), { session });
    await this.#rereader.look();
    const unproven = await proveObject({
      source,
      session: completed,
      verifyResume: this.#verifyResume,
      // Cut differently, its part numbers are not ours.
      known: completed.partSize === session.partSize ? this.#readings.current : new Map(),
      knownOf: this.#rereader.identity,
      signal: this.#drain,
      onEvent: this.#onEvent,
    });
    return this.#result(completed, unproven);
  }

  #takeStock(listing: PartsResponse): void {
    this.#readings.startRound(listing.parts.map(({ partNumber }) => partNumber));
    const before = this.#tally.storedBytes;
    this.#tally.setStored(listing.parts);
    if (listing.storedBytes < before) this.#onEvent({ type: 'healed', lostBytes: before - listing.storedBytes });
    this.#showProgress();
  }

  /** Sends the missing parts while the stored ones are proven; either's failure ends both. */
  async #transfer(listing: PartsResponse): Promise<void> {
    const round = new AbortController();
    this.#endRound = (reason) => round.abort(reason);
    const stop = sharedSignal(this.#stop.signal, round.signal);
    const drain = sharedSignal(stop, this.#drain);
    const proof = this.#prove(listing, drain);
    const sending = this.#sendAll(listing, proof, { stop, drain });
    const all = [proof, sending, this.#rereader.beside(Promise.all([proof, sending]), drain)];
    for (const one of all) {
      one.catch((error) => {
        // An interruption ends what only reads; what is on the wire has its time to drain.
        if (error !== this.#drain.reason) round.abort(error);
      });
    }
    const failed = (await Promise.allSettled(all)).find((outcome) => outcome.status === 'rejected');
    this.#showProgress();
    // The first cause, not what the others said when they were stopped for it.
    if (round.signal.aborted) throw round.signal.reason;
    if (failed) throw failed.reason;
    this.#drain.throwIfAborted();
  }

  async #prove(listing: PartsResponse, signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    this.#claims = await proveParts({
      source,
      plan: this.#plan,
      stored: listing.parts,
      verifyResume: this.#verifyResume,
      readings: this.#readings,
      signal,
      onEvent: this.#onEvent,
    });
    this.#rereader.notify();
  }

  async #sendAll(listing: PartsResponse, proof: Promise<void>, signals: PartSignals): Promise<void> {
    await headStart(proof);
    const failures: unknown[] = [];
    let endRound: NodeJS.Timeout | undefined;
    const sends = [...partNumbersOf(listing.missing)].map((partNumber) =>
      this.#lanes.inHand(async (turn) => {
        if (signals.drain.aborted || failures.length > 0) return;
        try {
          await this.#send(partNumber, signals, turn);
        } catch (error) {
          failures.push(error);
          if (isProgrammingError(error) && !signals.drain.aborted) this.#endRound(error);
          // Parts on the wire may finish. A part that waits for the end of an outage must not hold the error back for a day.
          endRound ??= setTimeout(() => this.#endRound(error), this.#drainMs);
        }
      }),
    );
    await Promise.all(sends).finally(() => clearTimeout(endRound));
    if (failures.length > 0) throw failures[0];
  }

  async #send(partNumber: number, signals: PartSignals, turn: Turn): Promise<void> {
    const { start, end } = partRange(this.#plan, this.#options.session.size, partNumber);
    const { epoch } = this.#readings;
    const part: SentPart = await this.#sendPart({ partNumber, start, end, turn }, signals);
    this.#readings.markStored(partNumber);
    if (!this.#readings.record(partNumber, part.checksum, epoch)) throw partChanged(this.#options.source, partNumber);
    this.#rereader.notify();
    this.#tally.partStored(partNumber, part.size);
    this.#reporting.partStored(part);
    this.#acknowledged.stored(part);
    this.#onEvent({ type: 'part', ...part });
    // Beside the other parts.
    this.#acknowledged.checkStore().catch((error) => this.#endFor(error));
  }

  async #complete(): Promise<UploadResult> {
    const { session } = this.#options;
    await this.#rereader.finish(this.#drain);
    this.#onEvent({ type: 'finishing' });
    const { checksums } = this.#readings;
    // Every part was read, proven or vouched for by now, or is left to the store's word.
    const checksum = combineChecksums(this.#plan, session.size, new Map([...this.#claims, ...checksums]));
    const completed = checkedAnswer(await this.#calls.complete(checksum), { session, checksum });
    return this.#result(completed, unprovenBytes(this.#plan, session.size, this.#claims, checksums));
  }

  /** @throws Replanned where the server changed the plan. Otherwise the run goes on with the one that it has. */
  async #replan({ plan, message }: SmallerPartsNeeded): Promise<void> {
    const session = await this.#calls.replan(plan);
    if (session !== undefined) throw new Replanned(session, message);
    this.#way.keepPlan();
  }

  /** Ends the whole run for what one part found out. An outage meanwhile is reported by the calls that wait for its end. */
  #endFor(error: unknown): void {
    if (error instanceof UploadError && error.code === 'STORE_UNSUITABLE') this.#stop.abort(error);
  }

  /** Somebody else cut the file differently while nothing was stored: this run's part numbers mean nothing any more. */
  async #checkPlanUnchanged(): Promise<void> {
    const { session } = this.#options;
    const now = await this.#calls.session();
    if (now.partSize === session.partSize && now.partCount === session.partCount) return;
    throw new UploadError('CLIENT_REPLACED', 'Another client changed the part plan of this session.', {
      hint: 'Resume it to continue with the new plan.',
    });
  }

  #result(session: Session, unproven: number): UploadResult {
    this.#showProgress();
    return resultOf(session, this.#tally.totals(), unproven);
  }

  readonly #showProgress = (): void => this.#onEvent({ type: 'progress', ...this.#tally.figures() });

  readonly #onControl = (event: ControlEvent): void => {
    if (event.type !== 'paused') this.#lanes.restart();
    // A pause may last longer than a router remembers connections on which nothing moves.
    if (event.type === 'resumed') this.#connections.renew();
    this.#onEvent(event);
    this.#showProgress();
  };

  get #drainMs(): number {
    return this.#options.drainMs ?? DRAIN_MS;
  }

  readonly #startDrain = (): void => {
    const reason = new Error('interrupted');
    this.#drainTimer = setTimeout(() => this.#stop.abort(reason), this.#drainMs);
  };
}
