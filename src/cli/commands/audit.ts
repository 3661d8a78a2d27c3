import { defineCommand } from 'citty';
import { AUDIT_EVENTS } from '../../contract/audit-events.ts';
import { renderAudit } from '../admin/audit-table.ts';
import { type AuditBatch, type AuditFilter, type AuditRecord, findAuditLog, readAuditLog } from '../admin/host.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { absolutePath } from '../input/absolute-path.ts';
import { type CommandModule, contextOf } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { UsageError } from '../input/usage-error.ts';
import type { CliContext } from '../terminal/context.ts';

/** Limits the table, whose columns can be laid out only when all rows are known. */
const DEFAULT_LAST = 200;
const MAX_LAST = 100_000;

const command = defineCommand({
  meta: { name: 'audit', description: "Show who did what, from the audit log on the server's own host" },
  args: {
    session: { type: 'string', valueHint: 'id', description: 'Only events of this session' },
    token: { type: 'string', valueHint: 'name', description: 'Only events of this token, by its name or id' },
    event: { type: 'string', valueHint: 'event,event', description: `Only these: ${AUDIT_EVENTS.join(', ')}` },
    since: { type: 'string', valueHint: 'duration', description: 'Only events of this last time: 90s, 30m, 24h, 7d' },
    last: {
      type: 'string',
      valueHint: 'n',
      description: `Most events to show, the last ones (${DEFAULT_LAST}; all with --json)`,
    },
    json: { type: 'boolean', description: 'The lines as they are in the log: JSON, one object a line' },
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const reader = new FlagReader();
    const sinceMs = reader.durationMs('since', flags.since);
    const last = reader.integer('last', flags.last, 1, MAX_LAST);
    const events = reader.choices('event', flags.event, AUDIT_EVENTS);
    reader.check('audit');
    const since = sinceMs === undefined ? undefined : context.now() - sinceMs;
    return show(context, {
      path: await pathOfLog(context),
      filter: { sessionId: flags.session, token: flags.token, events, since },
      last: last ?? (flags.json ? undefined : DEFAULT_LAST),
      json: flags.json === true,
    });
  },
});

interface Question {
  readonly path: string;
  readonly filter: AuditFilter;
  /** Undefined for all events, written as they are read. */
  readonly last: number | undefined;
  readonly json: boolean;
}

async function show(context: CliContext, { path, filter, last, json }: Question): Promise<ExitCode> {
  const { stdout, stderr } = context;
  let kept: readonly AuditRecord[] = [];
  let found = 0;
  let damaged = 0;
  for await (const batch of batchesOf(path, filter)) {
    found += batch.records.length;
    damaged += batch.damaged;
    if (last !== undefined) kept = lastOf(last, kept, batch.records);
    else if (!(await stdout.writeThrough(linesOf(batch.records)))) return EXIT.ok;
  }
  if (last !== undefined) {
    const text = json ? linesOf(kept) : renderAudit(kept.map(({ line }) => line));
    if (!(await stdout.writeThrough(text))) return EXIT.ok;
    if (found > last) stderr.write(`These are the last ${last} of ${found}; --last ${Math.min(found, MAX_LAST)} shows more.\n`);
  }
  if (damaged > 0) stderr.line(`warning: ${damaged} damaged ${damaged === 1 ? 'line' : 'lines'} not shown, in ${path}`);
  return EXIT.ok;
}

function lastOf<T>(count: number, kept: readonly T[], more: readonly T[]): readonly T[] {
  return more.length === 0 ? kept : [...kept, ...more].slice(-count);
}

function linesOf(records: readonly AuditRecord[]): string {
  return records.map(({ text }) => `${text}\n`).join('');
}

async function pathOfLog(context: CliContext): Promise<string> {
  const path = await findAuditLog(context);
  if (path !== undefined) return absolutePath(context, path);
  const isOff = context.env.PARTWAY_AUDIT_LOG === 'off';
  throw new UsageError(
    `There is no audit log: ${isOff ? 'PARTWAY_AUDIT_LOG is off' : 'the database is in memory (PARTWAY_DATABASE_URL)'}.`,
    'Set PARTWAY_AUDIT_LOG to the file that the server writes.',
  );
}

async function* batchesOf(path: string, filter: AuditFilter): AsyncGenerator<AuditBatch> {
  try {
    yield* readAuditLog(path, filter);
  } catch (error) {
    throw explainReadFailure(error, path);
  }
}

function explainReadFailure(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new UsageError(
      `There is no audit log at ${path}.`,
      "Run this on the server's host, as its user, with its PARTWAY_AUDIT_LOG or PARTWAY_DATABASE_URL.",
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new UsageError(`You may not read the audit log ${path}.`, 'Run this as the user that the server runs as.');
  }
  if (code === 'EISDIR')
    return new UsageError(`${path} is a directory.`, 'Set PARTWAY_AUDIT_LOG to the file that the server writes.');
  return error;
}

export default {
  command,
  examples: [
    'partway audit                                       the last 200 events',
    'partway audit --event refused --since 24h',
    'partway audit --session ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    'partway audit --token camera-van --last 1000',
    'partway audit --json | jq -r .address | sort | uniq -c   all of it, one JSON object a line',
  ],
  environment: [
    ['PARTWAY_AUDIT_LOG', 'The file, as the server has it (audit.jsonl beside the database)'],
    ['PARTWAY_DATABASE_URL', 'Where the database is, if it is not in its usual place'],
  ],
} satisfies CommandModule;
