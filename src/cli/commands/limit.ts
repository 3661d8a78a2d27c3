import { defineCommand } from 'citty';
import { printControl, sendControlRequest } from '../control/control-client.ts';
import type { ControlRequest } from '../control/control-line.ts';
import { formatLimit } from '../format/sizes.ts';
import { type CommandModule, contextOf, JSON_FLAG, RUNNING_SESSION_ID } from '../input/command.ts';
import { parseRate } from '../input/parse-size.ts';
import { UsageError } from '../input/usage-error.ts';

const command = defineCommand({
  meta: { name: 'limit', description: 'Change how fast an upload that runs on this machine may send, at once; or show it' },
  args: {
    session_id: RUNNING_SESSION_ID,
    rate: {
      type: 'positional',
      description: '8Mbit or 2MiB each second, or none; the unit must say which. Shows the limit if left out',
      required: false,
    },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const { sessionId, rate } = readWords(flags._);
    const command = ['limit', ...(rate === undefined ? [] : [rate])].join(' ');
    const state = await sendControlRequest({ context, sessionId, request: requestFor(rate), command });
    return printControl(context, flags.json === true, state, (name) => [
      `limit of ${name}: ${formatLimit(state.bytesPerSecond)}${state.paused ? ', and paused' : ''}`,
    ]);
  },
});

/** Both may be left out, because an id never looks like a rate. */
function readWords(words: readonly string[]): { sessionId: string | undefined; rate: string | undefined } {
  const sessionId = words.find((word) => word.startsWith('ses_'));
  const [rate, ...more] = words.filter((word) => word !== sessionId);
  if (more.length === 0) return { sessionId, rate };
  throw new UsageError(`"${rate}" is not the id of a session: ses_…`, 'See: partway limit --help');
}

function requestFor(rate: string | undefined): ControlRequest {
  if (rate === undefined) return { do: 'show' };
  return { do: 'limit', bytesPerSecond: rate === 'none' ? null : parseRate(rate) };
}

export default {
  command,
  examples: [
    'partway limit ses_01kaz3v8f6q2m4n7x9y0w5r1td 8Mbit',
    'partway limit none                                    the only upload that runs here, as fast as it can',
    'partway limit                                         shows it',
  ],
} satisfies CommandModule;
