import type { Instant } from '../../session/session.ts';
import type { AuditLine } from './event.ts';
import { readLines } from './lines.ts';

/** Beginning of each line that the audit log writes. */
const BEGINNING = '{"at":"';

export interface AuditFilter {
  readonly sessionId?: string | undefined;
  /** A token's name or id. */
  readonly token?: string | undefined;
  readonly events?: readonly string[] | undefined;
  readonly since?: Instant | undefined;
}

export interface AuditRecord {
  /** The line as it is in the file. */
  readonly text: string;
  readonly line: AuditLine;
}

export interface AuditBatch {
  /** Lines that match the filter, in the order of the file. */
  readonly records: readonly AuditRecord[];
  /** Number of lines that are not audit lines: cut short by a full disk or a power cut, or edited. */
  readonly damaged: number;
}

/** Reads a log from its beginning. The memory that this takes does not depend on its length. @throws the system's error. */
export async function* readAudit(path: string, filter: AuditFilter): AsyncGenerator<AuditBatch> {
  for await (const { lines, tooLong } of readLines(path)) {
    const records: AuditRecord[] = [];
    let damaged = tooLong;
    for (const text of lines) {
      const whole = parseLine(text);
      if (whole === undefined) damaged += 1;
      const after = whole === undefined ? afterTorn(text) : text;
      const line = whole ?? parseLine(after);
      if (line !== undefined && fits(line, filter)) records.push({ text: after, line });
    }
    yield { records, damaged };
  }
}

/**
 * Returns the line that another process wrote behind one that a kill -9 had cut short: Linux may end a write between two pages of the file.
 * No text inside a line looks like BEGINNING, because JSON escapes each quotation mark in it.
 */
function afterTorn(text: string): string {
  return text.slice(Math.max(0, text.lastIndexOf(BEGINNING)));
}

function fits(line: AuditLine, { sessionId, token, events, since }: AuditFilter): boolean {
  if (sessionId !== undefined && line.sessionId !== sessionId) return false;
  if (token !== undefined && line.token !== token && line.tokenId !== token) return false;
  if (events !== undefined && !events.includes(line.event)) return false;
  return since === undefined || Date.parse(line.at) >= since;
}

const TEXTS = [
  'token',
  'tokenId',
  'address',
  'requestId',
  'sessionId',
  'bucket',
  'key',
  'code',
  'operation',
  'capabilityId',
] as const;
const NUMBERS = ['size', 'leftOut'] as const;

function parseLine(text: string): AuditLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isAuditLine(value) ? value : undefined;
}

function isAuditLine(value: unknown): value is AuditLine {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  if (typeof fields.event !== 'string' || typeof fields.at !== 'string' || Number.isNaN(Date.parse(fields.at))) return false;
  return (
    TEXTS.every((name) => fields[name] === undefined || typeof fields[name] === 'string') &&
    NUMBERS.every((name) => fields[name] === undefined || typeof fields[name] === 'number')
  );
}
