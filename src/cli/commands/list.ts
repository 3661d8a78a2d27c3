import { defineCommand } from 'citty';
import type { ControlPlane } from '../../client/control-plane/control-plane.ts';
import { MAX_LIST_PAGE } from '../../contract/paths.ts';
import type * as wire from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { STATUSES } from '../../session/machine.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { formatInstant } from '../format/durations.ts';
import { formatSize, percentOf } from '../format/sizes.ts';
import { renderTable } from '../format/table.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { connect } from '../upload/connect.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100_000;
/** Two million sessions. */
const MAX_PAGES = 10_000;

const command = defineCommand({
  meta: { name: 'list', description: 'List the upload sessions, newest first' },
  args: {
    status: { type: 'enum', options: [...STATUSES], description: 'Only sessions of this status' },
    limit: { type: 'string', valueHint: 'n', description: `Most sessions to list (${DEFAULT_LIMIT})` },
    all: { type: 'boolean', description: 'All of them' },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const reader = new FlagReader();
    const limit = reader.integer('limit', flags.limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT;
    if (flags.all && flags.limit !== undefined) reader.fault('--all and --limit contradict each other.');
    reader.check('list');
    const controlPlane = connect(context);
    if (flags.json) {
      const wanted = flags.all ? Number.POSITIVE_INFINITY : limit;
      for await (const session of sessions(controlPlane, flags.status, wanted))
        if (!(await context.stdout.writeThrough(`${JSON.stringify(session)}\n`))) break;
      return EXIT.ok;
    }
    // A table can be laid out only when all rows are known, so it has a length that fits into memory.
    const wanted = flags.all ? MAX_LIMIT : limit;
    // One more than shown, to know whether there are more.
    const found: wire.Session[] = [];
    for await (const session of sessions(controlPlane, flags.status, wanted + 1)) found.push(session);
    context.stdout.write(renderSessions(found.slice(0, wanted)));
    if (found.length > wanted) context.stderr.write(`There are more: partway list --all${flags.all ? ' --json' : ''}\n`);
    return EXIT.ok;
  },
});

async function* sessions(controlPlane: ControlPlane, status: string | undefined, wanted: number): AsyncGenerator<wire.Session> {
  let cursor: string | null = null;
  let left = wanted;
  const seen = new Set<string>();
  do {
    const query = {
      limit: Math.min(left, MAX_LIST_PAGE),
      ...(status === undefined ? {} : { status }),
      ...(cursor === null ? {} : { cursor }),
    };
    const page: wire.SessionList = await controlPlane.list(query);
    yield* page.uploads.slice(0, left);
    left -= page.uploads.length;
    cursor = page.nextCursor;
    if (cursor !== null && (page.uploads.length === 0 || seen.has(cursor) || seen.size === MAX_PAGES)) throw endless(seen.size);
    if (cursor !== null) seen.add(cursor);
  } while (cursor !== null && left > 0);
}

function endless(pages: number): UploadError {
  return new UploadError('INVALID_ANSWER', `The list of sessions has no end: the server goes on after ${pages + 1} pages.`);
}

export function renderSessions(found: readonly wire.Session[]): string {
  if (found.length === 0) return 'No upload sessions.\n';
  const rows = found.map(({ sessionId, status, storedBytes, size, createdAt, key }) => [
    sessionId,
    status,
    size === 0 && status === 'completed' ? '100 %' : `${percentOf(storedBytes, size)} %`,
    formatSize(size),
    formatInstant(new Date(createdAt)),
    key,
  ]);
  return renderTable(['SESSION', 'STATUS', 'STORED', 'SIZE', 'CREATED', 'KEY'], rows, [2, 3]);
}

export default {
  command,
  examples: ['partway list', 'partway list --status open', 'partway list --all --json   one session a line'],
} satisfies CommandModule;
