import type { ProgressFigures } from '../../client/progress/events.ts';
import { formatDuration } from '../format/durations.ts';
import { formatSize } from '../format/sizes.ts';

/** What a bad network has cost so far: `2 retries, 1 min 3 s offline, 4.00 MiB sent again`. Undefined where it has cost nothing. */
export function describeTroubles({
  retries,
  offlineMs,
  wastedBytes,
}: Pick<ProgressFigures, 'retries' | 'offlineMs' | 'wastedBytes'>): string | undefined {
  const troubles = [
    ...(retries === 0 ? [] : [retries === 1 ? '1 retry' : `${retries} retries`]),
    ...(offlineMs === 0 ? [] : [`${formatDuration(offlineMs / 1_000)} offline`]),
    ...(wastedBytes === 0 ? [] : [`${formatSize(wastedBytes)} sent again`]),
  ];
  return troubles.length === 0 ? undefined : troubles.join(', ');
}
