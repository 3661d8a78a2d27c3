import type { PartsResponse, Session } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { checkListing, fitsPlan } from '../control-plane/answers/parts.ts';
import { valid } from '../control-plane/answers/valid.ts';
import type { SessionCalls } from '../control-plane/session-calls.ts';
import { SmallerPartsNeeded, type WayToStore } from '../part/way-to-store.ts';
import type { UploadResult } from '../progress/events.ts';
import { combineChecksums } from '../source/part-checksums.ts';
import { proveObject, type UnverifiedChecksums, unprovenBytes } from '../source/proof.ts';
import { lastWordOn, leadsToAnotherRound, Replanned } from './round-end.ts';
import { type RoundDependencies, transferMissing } from './transfer-round.ts';
import { checkedAnswer, interrupted, resultOf } from './upload-result.ts';

/** Times that the list of parts may come back with gaps although all were sent: after more, the store is not one to rely on. */
const MAX_ROUNDS_IN_VAIN = 5;

/** The collaborators that `createRun` builds for the rounds. */
export interface RunDependencies extends RoundDependencies {
  readonly calls: SessionCalls;
  readonly way: WayToStore;
}

/** The rounds of one run: list what the store holds, send what is missing, complete. */
export class UploadRun {
  readonly #run: RunDependencies;

  constructor(dependencies: RunDependencies) {
    this.#run = dependencies;
  }

  /** @throws Replanned where the session has another plan now. */
  async toCompletion(): Promise<UploadResult> {
    const { session, signals, progress } = this.#run;
    try {
      return await this.#rounds();
    } catch (error) {
      // Whatever broke because of an interruption is the interruption. A refusal that came before it is not.
      if (signals.isInterrupted && !(error instanceof UploadError)) throw interrupted(session, progress.counter.storedBytes);
      throw error;
    }
  }

  /** Begins again where the store lost something meanwhile. */
  async #rounds(): Promise<UploadResult> {
    const { acknowledged, plan, progressSender } = this.#run;
    for (let inVain = 0; ; inVain++) {
      if (inVain > 0) await progressSender.startOver();
      const listing = await acknowledged.listing();
      if (listing.status === 'completed') return await this.#completedElsewhere();
      if (inVain > 0 || !fitsPlan(listing, plan)) await this.#checkPlanUnchanged();
      valid(() => checkListing(listing, plan));
      this.#takeStock(listing);
      try {
        const unverified = await transferMissing(listing, this.#run);
        return await this.#complete(unverified);
      } catch (error) {
        if (error instanceof SmallerPartsNeeded) await this.#replan(error);
        else if (!leadsToAnotherRound(error) || inVain >= MAX_ROUNDS_IN_VAIN) throw lastWordOn(error);
      }
    }
  }

  /** The answer to this run's Complete got lost, or another client completed the session: in either case the object must be this source. */
  async #completedElsewhere(): Promise<UploadResult> {
    const { session, source, verifyResume, calls, readings, rereader, signals, progress } = this.#run;
    const completed = checkedAnswer(await calls.session(), { session });
    await rereader.look();
    const unproven = await proveObject({
      source,
      session: completed,
      verifyResume,
      // Cut differently, its part numbers are not those of this run.
      known: completed.partSize === session.partSize ? readings.current : new Map(),
      knownOf: rereader.identity,
      signal: signals.drain,
      onEvent: progress.notify,
    });
    return this.#result(completed, unproven);
  }

  #takeStock(listing: PartsResponse): void {
    const { readings, progress } = this.#run;
    readings.startRound(listing.parts.map(({ partNumber }) => partNumber));
    const before = progress.counter.storedBytes;
    progress.counter.setStored(listing.parts);
    if (listing.storedBytes < before) progress.notify({ type: 'healed', lostBytes: before - listing.storedBytes });
    progress.show();
  }

  async #complete(unverified: UnverifiedChecksums): Promise<UploadResult> {
    const { session, plan, calls, readings, rereader, signals, progress } = this.#run;
    await rereader.finish(signals.drain);
    progress.notify({ type: 'finishing' });
    const { checksums } = readings;
    // Every part was read, proven or vouched for by now, or is left to the store's word.
    const checksum = combineChecksums(plan, session.size, new Map([...unverified, ...checksums]));
    const completed = checkedAnswer(await calls.complete(checksum), { session, checksum });
    return this.#result(completed, unprovenBytes(plan, session.size, unverified, checksums));
  }

  /** @throws Replanned where the server changed the plan. Otherwise the run goes on with the one that it has. */
  async #replan({ plan, message }: SmallerPartsNeeded): Promise<void> {
    const session = await this.#run.calls.replan(plan);
    if (session !== undefined) throw new Replanned(session, message);
    this.#run.way.keepPlan();
  }

  /** Another client may have cut the file differently while nothing was stored: then this run's part numbers mean nothing any more. */
  async #checkPlanUnchanged(): Promise<void> {
    const { session, calls } = this.#run;
    const now = await calls.session();
    if (now.partSize === session.partSize && now.partCount === session.partCount) return;
    throw new UploadError('CLIENT_REPLACED', 'Another client changed the part plan of this session.', {
      hint: 'Resume it to continue with the new plan.',
    });
  }

  #result(session: Session, unproven: number): UploadResult {
    this.#run.progress.show();
    return resultOf(session, this.#run.progress.counter.totals(), unproven);
  }
}
