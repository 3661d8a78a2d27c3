import { formatClock } from '../format/durations.ts';
import { formatShare } from '../format/sizes.ts';
import type { UploadPhase } from './upload-view.ts';

type Outage = Extract<UploadPhase, { name: 'offline' }>;

/** Describes a phase other than sending, in wordings from the fullest to the shortest. None while sending. */
export function phaseWordings(phase: UploadPhase, now: number): readonly string[] {
  switch (phase.name) {
    case 'starting':
    case 'sending':
      return [];
    case 'verifying': {
      const share = formatShare(phase.verifiedBytes, phase.totalBytes);
      return [`comparing the stored parts with the file: ${share}`, `comparing with the file: ${share}`, `comparing ${share}`];
    }
    case 'offline':
      return outageWordings(phase, now);
    case 'paused':
      if (phase.isPartUnderWay) return ['pausing: parts on the wire finish', 'pausing'];
      return ['paused; to go on: partway continue', 'paused'];
    case 'finishing':
      return ['finishing (the store is assembling)', 'finishing'];
  }
}

/** The fullest wording is also the line in a log. */
export function outageWordings(
  { since, what, refuses, blocked, reason, nextTryAt }: Outage,
  now: number,
): readonly [string, ...string[]] {
  const offline = `${refuses || blocked ? 'waiting' : 'offline'} since ${formatClock(new Date(since))}`;
  const seconds = Math.max(0, Math.ceil((nextTryAt - now) / 1_000));
  const when = seconds === 0 ? 'now' : `in ${seconds} s`;
  const trouble = refuses ? 'cannot serve now' : blocked ? 'lets no part through' : 'cannot be reached';
  return [
    `${offline} (${what} ${trouble}: ${withoutFullStop(reason)}), trying again ${when}`,
    `${offline} (${what}: ${withoutFullStop(reason)}), again ${when}`,
    `${offline} (${what}), again ${when}`,
    `${offline}, trying again ${when}`,
    `${offline}, again ${when}`,
    offline,
  ];
}

/** Servers answer in whole sentences, which become part of another one here. */
export function withoutFullStop(reason: string): string {
  return reason.replace(/\.$/, '');
}
