import type { Instant } from '../../session/session.ts';
import { escapeInvisible } from '../../text/visible-text.ts';
import type { Log } from '../core/deps.ts';
import { toIso } from '../core/views.ts';
import type { Audit, AuditEvent, AuditLine } from './event.ts';
import { FloodLimit } from './flood-limit.ts';
import { LineFile } from './line-file.ts';
import { loosePermissions } from './loose-permissions.ts';

/** Longest text of a field; names and keys are far shorter. */
const MAX_TEXT_LENGTH = 2_048;
const FIELDS = [
  'token',
  'tokenId',
  'address',
  'requestId',
  'sessionId',
  'bucket',
  'key',
  'size',
  'overwrite',
  'capabilityId',
  'code',
  'operation',
] as const satisfies readonly (keyof AuditEvent)[];

export interface AuditLogOptions {
  readonly path: string;
  readonly now: () => Instant;
  /** Receives events that could not be written, and a warning about a file that others may read or change. */
  readonly log: Pick<Log, 'warn' | 'error'>;
}

export interface AuditLog extends Audit {
  /** Goes on with the file that has the name now, after logrotate moved the old one away. Never throws. */
  reopen(): void;
  /** Closes the file. Later events go to `log`. */
  close(): void;
}

/**
 * Appends events to a file, one JSON object a line. Several processes may write to the same file. Lines are not synced to the disk one
 * by one: kill -9 loses nothing, a power cut may lose the last seconds.
 * @throws Error naming the file where it cannot be opened: a server that is set to keep an audit log does not start without it.
 */
export function createAuditLog({ path, now, log }: AuditLogOptions): AuditLog {
  const file = open(path);
  warnOfPermissions();
  // Clients without a token have a limit of their own, so they cannot use up the places of clients with one.
  const floods = [new FloodLimit(), new FloodLimit()] as const;

  function write(line: AuditLine): void {
    try {
      file.append(escapeInvisible(JSON.stringify(line)));
    } catch (error) {
      log.error({ err: error, path, event: line }, 'an event could not be written to the audit log');
    }
  }

  function warnOfPermissions(): void {
    const text = loosePermissions(path);
    if (text !== undefined) log.warn({ path }, text);
  }

  function writeLeftOut(until?: Instant): void {
    const at = toIso(now());
    for (const flood of floods) {
      for (const { source, leftOut } of flood.takeEnded(until)) write({ at, event: 'refused', ...source, leftOut });
    }
  }

  return {
    record(event) {
      const instant = now();
      writeLeftOut(instant);
      const line = lineOf(event, instant);
      const [known, unknown] = floods;
      const flood = event.tokenId === undefined ? unknown : known;
      const admitted = event.event === 'refused' ? flood.admit(event, instant) : 'write';
      if (admitted === 'write') write(line);
      if (admitted === 'last') write({ ...line, furtherLeftOut: true });
    },
    reopen() {
      try {
        file.reopen();
        warnOfPermissions();
      } catch (error) {
        log.error({ err: error, path }, 'the audit log could not be opened again; the old file is still in use');
      }
    },
    close() {
      writeLeftOut();
      file.close();
    },
  };
}

function open(path: string): LineFile {
  try {
    return new LineFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The audit log ${path} cannot be opened: ${reason}. Set PARTWAY_AUDIT_LOG to another file, or to off.`, {
      cause,
    });
  }
}

/** Copies only the fields that an event has by its type, always in the same order: anything else in the object stays out of the log. */
function lineOf(event: AuditEvent, instant: Instant): AuditLine {
  const known = FIELDS.flatMap((field) => {
    const value = event[field];
    return value === undefined ? [] : [[field, typeof value === 'string' ? value.slice(0, MAX_TEXT_LENGTH) : value]];
  });
  return { at: toIso(instant), event: event.event, ...Object.fromEntries(known) };
}
