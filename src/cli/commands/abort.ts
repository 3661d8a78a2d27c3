import { defineCommand } from 'citty';
import { EXIT } from '../errors/exit-codes.ts';
import { about } from '../errors/failure.ts';
import { formatSize } from '../format/sizes.ts';
import { type CommandModule, contextOf, JSON_FLAG, SESSION_ID } from '../input/command.ts';
import { connect } from '../upload/connect.ts';

const command = defineCommand({
  meta: {
    name: 'abort',
    description: 'Discard an unfinished upload: the store deletes its parts. Completed objects are never touched',
  },
  args: { session_id: SESSION_ID, json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [sessionId = ''] = flags._;
    const controlPlane = connect(context);
    const { before, session } = await about({ sessionId }, async () => ({
      // After the abort, the session no longer says how much it held.
      before: await controlPlane.get(sessionId),
      session: await controlPlane.abort(sessionId),
    }));
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ type: 'aborted', releasedBytes: releasedBytes(before), session })}\n`);
      return EXIT.ok;
    }
    const released = releasedBytes(before);
    const what = before.status === session.status ? `was ${session.status} already` : `is ${session.status}`;
    context.stdout.write(
      `session ${sessionId} ${what}; ${released === 0 ? 'it held no parts' : `${formatSize(released)} released at the store`}\n`,
    );
    return EXIT.ok;
  },
});

function releasedBytes({ status, storedBytes }: { status: string; storedBytes: number }): number {
  return status === 'aborted' || status === 'expired' ? 0 : storedBytes;
}

export default { command, examples: ['partway abort ses_01kaz3v8f6q2m4n7x9y0w5r1td'] } satisfies CommandModule;
