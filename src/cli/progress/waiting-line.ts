import { formatDuration } from '../format/durations.ts';
import { withoutFullStop } from './phase-text.ts';
import type { OfflineEvent } from './upload-view.ts';

const DEFAULT_MAX_OUTAGE_MS = 86_400_000;

/** Says what a command waits for before its file has begun, for how long, and how to stop it. */
export function waitingLine({ what, refuses, reason }: OfflineEvent, maxOutageMs = DEFAULT_MAX_OUTAGE_MS): string {
  const trouble = refuses ? 'cannot serve now' : 'cannot be reached';
  const longest = formatDuration(maxOutageMs / 1_000);
  const line = `waiting for ${what} (${trouble}: ${withoutFullStop(reason)}), for ${longest} at most (--max-outage). Ctrl-C stops; what is stored stays stored.`;
  return refuses ? line : `${line} If the address is wrong, stop and set PARTWAY_SERVER.`;
}
