import type { PartsResponse, Session } from '../../contract/wire.ts';
import { isProgrammingError, UploadError } from '../../session/errors.ts';
import { type PartPlan, partRange } from '../../session/part-plan.ts';
import { partNumbersOf } from '../../session/part-ranges.ts';
import type { InSendSlot, Slots } from '../flow/slots.ts';
import type { AcknowledgedParts } from '../part/acknowledged-parts.ts';
import type { SendPart } from '../part/part-sender.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { headStart, proveParts, type UnverifiedChecksums } from '../source/proof.ts';
import type { Readings } from '../source/readings.ts';
import type { Rereader } from '../source/rereader.ts';
import { partChanged } from '../source/source-changes.ts';
import type { VerifyResume } from '../source/verify-resume.ts';
import type { ProgressSender } from './progress-sender.ts';
import type { RunProgress } from './run-progress.ts';
import type { RoundSignals, RunSignals } from './run-signals.ts';

/** The parts of a run that a round uses. */
export interface RoundDependencies {
  readonly session: Session;
  readonly source: ByteSource;
  readonly plan: PartPlan;
  readonly verifyResume: VerifyResume;
  readonly signals: RunSignals;
  readonly progress: RunProgress;
  readonly progressSender: ProgressSender;
  readonly acknowledged: AcknowledgedParts;
  /** The CRC32s of this source's parts, as far as they were read or vouched for. */
  readonly readings: Readings;
  readonly rereader: Rereader;
  readonly slots: Slots;
  readonly sendPart: SendPart;
}

/**
 * Sends the missing parts while the stored ones are proven; a failure of either ends both.
 * Resolves to the checksums of stored parts that `verifyResume` leaves unread.
 */
export async function transferMissing(listing: PartsResponse, run: RoundDependencies): Promise<UnverifiedChecksums> {
  const { signals, rereader, progress } = run;
  const round = signals.beginRound();
  const proof = prove(listing, run, round);
  const sending = sendMissing(listing, proof, run, round);
  const all = [proof, sending, rereader.beside(Promise.all([proof, sending]), round.drain)];
  for (const one of all) {
    one.catch((error) => {
      // An interruption ends what only reads; what is on the wire has its time to drain.
      if (error !== signals.drain.reason) signals.endRound(error);
    });
  }
  const failed = (await Promise.allSettled<unknown>(all)).find((outcome) => outcome.status === 'rejected');
  progress.show();
  // The first cause, not what the others said when they were stopped for it.
  if (round.ended.aborted) throw round.ended.reason;
  if (failed) throw failed.reason;
  signals.drain.throwIfAborted();
  return proof;
}

async function prove(listing: PartsResponse, run: RoundDependencies, { drain }: RoundSignals): Promise<UnverifiedChecksums> {
  const { source, plan, verifyResume, readings, progress } = run;
  const unverified = await proveParts({
    source,
    plan,
    verifyResume,
    readings,
    stored: listing.parts,
    signal: drain,
    onEvent: progress.notify,
  });
  run.rereader.notify();
  return unverified;
}

async function sendMissing(
  listing: PartsResponse,
  proof: Promise<unknown>,
  run: RoundDependencies,
  round: RoundSignals,
): Promise<void> {
  const { slots, signals } = run;
  await headStart(proof);
  const failures: unknown[] = [];
  let endTimer: NodeJS.Timeout | undefined;
  const sends = [...partNumbersOf(listing.missing)].map((partNumber) =>
    slots.inOrder(async (inSendSlot) => {
      if (round.drain.aborted || failures.length > 0) return;
      try {
        await sendOne(partNumber, inSendSlot, run, round);
      } catch (error) {
        failures.push(error);
        if (isProgrammingError(error) && !round.drain.aborted) signals.endRound(error);
        // Parts on the wire may finish. A part that waits for the end of an outage must not hold the error back for a day.
        endTimer ??= setTimeout(() => signals.endRound(error), signals.drainMs);
      }
    }),
  );
  await Promise.all(sends).finally(() => clearTimeout(endTimer));
  if (failures.length > 0) throw failures[0];
}

async function sendOne(partNumber: number, inSendSlot: InSendSlot, run: RoundDependencies, round: RoundSignals): Promise<void> {
  const { session, source, plan, readings, acknowledged, progress } = run;
  const { start, end } = partRange(plan, session.size, partNumber);
  const { epoch } = readings;
  const part = await run.sendPart({ partNumber, start, end }, inSendSlot, round);
  readings.markStored(partNumber);
  if (!readings.record(partNumber, part.checksum, epoch)) throw partChanged(source, partNumber);
  run.rereader.notify();
  progress.counter.partStored(partNumber, part.size);
  run.progressSender.partStored(part);
  acknowledged.stored(part);
  progress.notify({ type: 'part', ...part });
  // Beside the other parts.
  acknowledged.checkStore().catch((error) => endIfUnsuitable(error, run.signals));
}

/** Ends the whole run for what one part found out. An outage meanwhile is reported by the calls that wait for its end. */
function endIfUnsuitable(error: unknown, signals: RunSignals): void {
  if (error instanceof UploadError && error.code === 'STORE_UNSUITABLE') signals.end(error);
}
