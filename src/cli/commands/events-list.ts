import { defineCommand } from 'citty';
import { DELIVERY_STATUSES, type WebhookEvent } from '../../session/webhook-event.ts';
import { eventLine, renderEvents } from '../admin/event-table.ts';
import { EVENT_ENVIRONMENT, withEventAdmin } from '../admin/host.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';

/** Limits the table, whose columns can be laid out only when all rows are known. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 100_000;

const command = defineCommand({
  meta: { name: 'list', description: "List the events of the webhook, newest first, on the server's host" },
  args: {
    status: { type: 'enum', options: [...DELIVERY_STATUSES], description: 'Only events of this status' },
    session: { type: 'string', valueHint: 'id', description: 'Only events of this session' },
    limit: { type: 'string', valueHint: 'n', description: `Most events to list (${DEFAULT_LIMIT}; all with --json)` },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const reader = new FlagReader();
    const limit = reader.integer('limit', flags.limit, 1, MAX_LIMIT);
    reader.check('events list');
    const filter = { status: DELIVERY_STATUSES.find((status) => status === flags.status), sessionId: flags.session };
    return withEventAdmin(context, async (admin) => {
      const events = admin.list(filter);
      if (flags.json) {
        for await (const event of firstOf(events, limit ?? Number.POSITIVE_INFINITY))
          if (!(await context.stdout.writeThrough(eventLine(event)))) break;
        return EXIT.ok;
      }
      const shown = limit ?? DEFAULT_LIMIT;
      const found: WebhookEvent[] = [];
      // One more than shown, to know whether there are more.
      for await (const event of firstOf(events, shown + 1)) found.push(event);
      await context.stdout.writeThrough(renderEvents(found.slice(0, shown)));
      if (found.length > shown) context.stderr.write('There are more: --limit shows them.\n');
      return EXIT.ok;
    });
  },
});

async function* firstOf(events: AsyncIterable<WebhookEvent>, count: number): AsyncGenerator<WebhookEvent> {
  let left = count;
  for await (const event of events) {
    yield event;
    left -= 1;
    if (left <= 0) return;
  }
}

export default {
  command,
  examples: [
    'partway events list --status dead                       events that the webhook never accepted',
    'partway events list --session ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    'partway events list --json | jq -r .type | sort | uniq -c   all of them, one a line',
  ],
  environment: EVENT_ENVIRONMENT,
} satisfies CommandModule;
