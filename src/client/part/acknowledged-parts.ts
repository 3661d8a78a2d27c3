import type { PartsResponse, WireStoredPart } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { type PartPlan, partLength } from '../../session/part-plan.ts';
import { partNumbersOf } from '../../session/part-ranges.ts';
import { sleep } from '../network/sleep.ts';
import type { SentPart } from './part-sender.ts';

/** The reason why a part that the store acknowledged still counts as missing. */
export type Shortcoming =
  /** Listed with the ETag that this client received, and with a size and checksum that prove nothing. */
  | { readonly kind: 'unproven'; readonly acknowledged: SentPart; readonly listed: WireStoredPart }
  /** Not listed, or with another ETag: the part was lost or replaced, or the list lags behind. */
  | { readonly kind: 'vanished'; readonly acknowledged: SentPart };

/**
 * Compares a list of the store with what the store acknowledged: the parts that the list calls missing although this client holds
 * an ETag for them. The first kind must never be sent again: the store would do the same with it once more.
 */
export function findShortcomings(acknowledged: ReadonlyMap<number, SentPart>, listing: PartsResponse): Shortcoming[] {
  const unproven = new Map<number, WireStoredPart[]>();
  // Older servers leave the field out.
  for (const part of listing.unproven ?? []) unproven.set(part.partNumber, [...(unproven.get(part.partNumber) ?? []), part]);
  return [...partNumbersOf(listing.missing)].flatMap((partNumber): Shortcoming[] => {
    const sent = acknowledged.get(partNumber);
    if (sent === undefined) return [];
    const listed = unproven.get(partNumber)?.find(({ etag }) => unquoted(etag) === unquoted(sent.etag));
    return [listed === undefined ? { kind: 'vanished', acknowledged: sent } : { kind: 'unproven', acknowledged: sent, listed }];
  });
}

/** Stores differ in whether lists show an ETag with its quotes. */
function unquoted(etag: string): string {
  return etag.replaceAll('"', '');
}

/** A list may lag behind an acknowledgement: the store is asked again after these waits before a part counts as lost. */
const LAG_WAITS_MS = [500, 1_500, 4_000];
/** Times that a part is sent again which was acknowledged and is not listed, unless an outage explains the loss. */
const MOST_RESENDS = 1;

/** With fewer parts, Complete finds the same out before much is sent. */
const PARTS_WORTH_A_LOOK = 8;

export interface AcknowledgedPartsOptions {
  readonly plan: PartPlan;
  readonly size: number;
  readonly list: () => Promise<PartsResponse>;
  readonly signal: AbortSignal;
  readonly lagWaitsMs?: readonly number[];
}

/** Remembers the ETags of this run, and ends it where the store will never show what proves the parts. */
export function createAcknowledgedParts(options: AcknowledgedPartsOptions) {
  const { plan, size, list, signal, lagWaitsMs = LAG_WAITS_MS } = options;
  const acknowledged = new Map<number, SentPart>();
  const resends = new Map<number, number>();
  let generation: number | undefined;
  /** The store has shown a checksum, or was asked for one. */
  let isStoreKnown = false;

  function refuseUnproven(shortcomings: readonly Shortcoming[]): void {
    const unproven = shortcomings.find((shortcoming) => shortcoming.kind === 'unproven');
    if (unproven) throw unsuitable(unproven.listed, partLength(plan, size, unproven.listed.partNumber));
  }

  /** Forgets the parts of an earlier generation, which are gone for good: nothing follows from them. */
  function observe(listing: PartsResponse): void {
    if (listing.generation !== generation) acknowledged.clear();
    generation = listing.generation;
    if (listing.parts.length > 0) isStoreKnown = true;
  }

  return {
    stored(part: SentPart): void {
      acknowledged.set(part.partNumber, part);
    },
    /** Call after an outage: the store may have lost parts in it that it had acknowledged. */
    excuse(): void {
      resends.clear();
    },
    /**
     * Gets the list that the next round begins with, again while it lags behind.
     * @throws UploadError `STORE_UNSUITABLE` where sending what is missing would be in vain.
     */
    async listing(): Promise<PartsResponse> {
      let listing = await list();
      for (const waitMs of lagWaitsMs) {
        observe(listing);
        const shortcomings = findShortcomings(acknowledged, listing);
        refuseUnproven(shortcomings);
        if (shortcomings.length === 0) return listing;
        await sleep(waitMs, signal);
        listing = await list();
      }
      observe(listing);
      const shortcomings = findShortcomings(acknowledged, listing);
      refuseUnproven(shortcomings);
      for (const { acknowledged: part } of shortcomings) {
        const count = (resends.get(part.partNumber) ?? 0) + 1;
        if (count > MOST_RESENDS) throw unsuitable(undefined, part.size, part.partNumber);
        resends.set(part.partNumber, count);
        acknowledged.delete(part.partNumber);
      }
      return listing;
    },
    /**
     * Asks once, when the first part of a run was stored, whether the store shows what proves it: a store that does not would
     * otherwise be found out only after the whole file was sent. @throws UploadError `STORE_UNSUITABLE`
     */
    async checkStore(): Promise<void> {
      if (isStoreKnown || plan.partCount < PARTS_WORTH_A_LOOK) return;
      isStoreKnown = true;
      refuseUnproven(findShortcomings(acknowledged, await list()));
    },
  };
}
export type AcknowledgedParts = ReturnType<typeof createAcknowledgedParts>;

/** @param listed Undefined where the store does not list the part at all. */
export function unsuitable(
  listed: WireStoredPart | undefined,
  plannedSize: number,
  partNumber = listed?.partNumber,
): UploadError {
  return new UploadError('STORE_UNSUITABLE', `The object store ${lackOf(listed, plannedSize, partNumber)}`, {
    hint: 'What is stored stays stored, and nothing of it was sent again. Whoever runs the server: partway doctor shows what the store lacks; docs/scale.md ("Another store") says which stores suit.',
    facts: { partNumber, ...(listed && { listedSize: listed.size, listedChecksum: listed.checksum }) },
  });
}

function lackOf(listed: WireStoredPart | undefined, plannedSize: number, partNumber: number | undefined): string {
  if (listed === undefined)
    return `acknowledged part ${partNumber} again and again, and does not list it: the upload cannot be completed there.`;
  if (listed.size !== plannedSize)
    return `took part ${partNumber} with ${plannedSize} bytes and lists it with ${listed.size}: it does not keep what it is sent.`;
  if (listed.checksum === null)
    return `has part ${partNumber} and does not show its CRC32, without which no upload can be proven complete.`;
  return `lists part ${partNumber} as it was sent, and the server does not accept it as planned.`;
}
