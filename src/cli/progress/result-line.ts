import type { ProgressFigures, UploadResult } from '../../client/progress/events.ts';
import { formatDuration } from '../format/durations.ts';
import { formatSize, formatSpeed } from '../format/sizes.ts';

/** Renders the one line that an upload leaves on stdout. */
export function renderResult(result: UploadResult, name: string, arrow: string): string {
  const { bucket, key, bytes, bytesSent, sessionId, checksum } = result;
  const where = `${name} ${arrow} ${bucket}/${key}  ${formatSize(bytes)}`;
  const identity = `session ${sessionId}  crc32 ${checksum} ${describeProof(result)}`;
  if (bytesSent === 0 && bytes > 0) return `already uploaded ${where}, nothing was sent  ${identity}`;
  return `uploaded ${where} in ${describeRun(result)}  ${identity}`;
}

/** Sums up what a bad network has cost so far: `2 retries, 1 min 3 s offline, 4.00 MiB sent again`. Undefined if nothing. */
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

function describeRun({ seconds, averageBytesPerSecond, retries, offlineSeconds, wastedBytes }: UploadResult): string {
  const speed = averageBytesPerSecond > 0 ? ` (${formatSpeed(averageBytesPerSecond)})` : '';
  const troubles = describeTroubles({ retries, offlineMs: offlineSeconds * 1_000, wastedBytes });
  return `${formatDuration(seconds)}${speed}${troubles === undefined ? '' : `, ${troubles}`}`;
}

function describeProof({ proof, unprovenBytes }: UploadResult): string {
  return proof === 'full' ? 'verified' : `not proven in full: ${formatSize(unprovenBytes)} were not compared with the file`;
}
