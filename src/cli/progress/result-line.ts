import type { UploadResult } from '../../client/progress/events.ts';
import { formatDuration } from '../format/durations.ts';
import { formatSize, formatSpeed } from '../format/sizes.ts';
import { describeTroubles } from './troubles.ts';

/** The one line that an upload leaves on stdout. */
export function renderResult(result: UploadResult, name: string, arrow: string): string {
  const { bucket, key, bytes, bytesSent, sessionId, checksum } = result;
  const where = `${name} ${arrow} ${bucket}/${key}  ${formatSize(bytes)}`;
  const identity = `session ${sessionId}  crc32 ${checksum} ${describeProof(result)}`;
  if (bytesSent === 0 && bytes > 0) return `already uploaded ${where}, nothing was sent  ${identity}`;
  return `uploaded ${where} in ${describeRun(result)}  ${identity}`;
}

function describeRun({ seconds, averageBytesPerSecond, retries, offlineSeconds, wastedBytes }: UploadResult): string {
  const speed = averageBytesPerSecond > 0 ? ` (${formatSpeed(averageBytesPerSecond)})` : '';
  const troubles = describeTroubles({ retries, offlineMs: offlineSeconds * 1_000, wastedBytes });
  return `${formatDuration(seconds)}${speed}${troubles === undefined ? '' : `, ${troubles}`}`;
}

function describeProof({ proof, unprovenBytes }: UploadResult): string {
  return proof === 'full' ? 'verified' : `not proven in full: ${formatSize(unprovenBytes)} were not compared with the file`;
}
