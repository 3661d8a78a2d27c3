import type { UploadResult } from '../../client/events.ts';
import { formatDuration } from './durations.ts';
import { formatSize, formatSpeed } from './sizes.ts';

/** The one line that an upload leaves on stdout. */
export function renderResult(result: UploadResult, name: string, arrow: string): string {
  const { bucket, key, bytes, bytesSent, seconds, sessionId, checksum } = result;
  const where = `${name} ${arrow} ${bucket}/${key}  ${formatSize(bytes)}`;
  const identity = `session ${sessionId}  crc32 ${checksum}`;
  if (bytesSent === 0 && bytes > 0) return `already uploaded ${where}, nothing was sent  ${identity}`;
  const speed = bytesSent > 0 && seconds > 0 ? ` (${formatSpeed(bytesSent / seconds)})` : '';
  return `uploaded ${where} in ${formatDuration(seconds)}${speed}  ${identity}`;
}
