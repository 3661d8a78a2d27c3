import { defineCommand } from 'citty';
import { printControl, sendControlRequest } from '../control/control-client.ts';
import { type CommandModule, contextOf, JSON_FLAG, RUNNING_SESSION_ID } from '../input/command.ts';

const command = defineCommand({
  meta: { name: 'continue', description: 'Let a paused upload go on. If no client runs here: partway resume' },
  args: { session_id: RUNNING_SESSION_ID, json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const state = await sendControlRequest({ context, sessionId: flags._[0], request: { do: 'continue' }, command: 'continue' });
    return printControl(context, flags.json === true, state, (name) => [`${name} goes on`]);
  },
});

export default {
  command,
  examples: ['partway continue', 'partway continue ses_01kaz3v8f6q2m4n7x9y0w5r1td'],
} satisfies CommandModule;
