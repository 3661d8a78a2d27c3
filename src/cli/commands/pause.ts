import { defineCommand } from 'citty';
import { printControl, sendControlRequest } from '../control/control-client.ts';
import { type CommandModule, contextOf, JSON_FLAG, RUNNING_SESSION_ID } from '../input/command.ts';

const command = defineCommand({
  meta: {
    name: 'pause',
    description: 'Pause an upload that runs on this machine: parts on the wire finish, no new one begins',
  },
  args: { session_id: RUNNING_SESSION_ID, json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const state = await sendControlRequest({ context, sessionId: flags._[0], request: { do: 'pause' }, command: 'pause' });
    return printControl(context, flags.json === true, state, (name) => [
      `paused ${name}; parts on the wire finish`,
      `To go on: partway continue ${state.sessionId}`,
    ]);
  },
});

export default {
  command,
  examples: [
    'partway pause                                  the only upload that runs here',
    'partway pause ses_01kaz3v8f6q2m4n7x9y0w5r1td',
  ],
} satisfies CommandModule;
