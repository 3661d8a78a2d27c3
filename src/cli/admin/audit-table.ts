import type { AuditLine } from '../../server/audit/event.ts';
import { formatSize } from '../format/sizes.ts';
import { renderTable } from '../format/table.ts';

const HEADER = ['AT', 'EVENT', 'TOKEN', 'ADDRESS', 'SESSION', 'SIZE', 'ABOUT'];
const SIZE_COLUMN = 5;

export function renderAudit(entries: readonly AuditLine[]): string {
  if (entries.length === 0) return 'No such events.\n';
  return renderTable(HEADER, entries.map(cellsOf), [SIZE_COLUMN]);
}

function cellsOf(entry: AuditLine): string[] {
  const { event, token = '', address = '', sessionId = '', size } = entry;
  return [toSecond(entry.at), event, token, address, sessionId, size === undefined ? '' : formatSize(size), about(entry)];
}

/** In UTC, like the server's own log. */
function toSecond(at: string): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

function about({ code, operation, bucket, key, leftOut, furtherLeftOut }: AuditLine): string {
  if (leftOut !== undefined) return `${leftOut} more like these were not written down`;
  const object = key === undefined ? bucket : [bucket, key].filter((name) => name !== undefined).join('/');
  const words = [code, operation, object].filter((word) => word !== undefined).join(' ');
  return furtherLeftOut ? `${words} (further ones are only counted)` : words;
}
