import { defineCommand } from 'citty';
import { EVENT_ENVIRONMENT, withEventAdmin } from '../admin/host.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';
import { UsageError } from '../input/usage-error.ts';

const command = defineCommand({
  meta: {
    name: 'replay',
    description: "Send an event again, or all that are dead, under the same ids. On the server's host; the server sends them",
  },
  args: {
    'event-id': { type: 'positional', description: 'evt_…, as `partway events list` shows it', required: false },
    dead: { type: 'boolean', description: 'All that are dead' },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [eventId] = flags._;
    if ((eventId === undefined) === !flags.dead)
      throw new UsageError('Name one event, or give --dead.', 'See: partway events replay --help');
    const { line, text } = await withEventAdmin(context, async (admin) => {
      if (eventId === undefined) {
        const count = await admin.replayDead();
        return { line: { type: 'replayed', count }, text: `${count} dead ${count === 1 ? 'event is' : 'events are'} due again` };
      }
      const { type, session } = await admin.replay(eventId);
      return {
        line: { type: 'replayed', count: 1, eventId, sessionId: session.sessionId },
        text: `${eventId} is due again: ${type} of ${session.sessionId}`,
      };
    });
    context.stdout.line(flags.json ? JSON.stringify(line) : text);
    return EXIT.ok;
  },
});

export default {
  command,
  examples: [
    'partway events replay evt_4e2f0c6d8b1a49537f60c2d4e8a1b395',
    'partway events replay --dead        once the receiver works again',
  ],
  environment: EVENT_ENVIRONMENT,
} satisfies CommandModule;
