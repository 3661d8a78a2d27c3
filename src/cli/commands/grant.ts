import { defineCommand } from 'citty';
import { MAX_CAPABILITY_SECONDS } from '../../contract/paths.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { about } from '../errors/failure.ts';
import { formatInstant } from '../format/durations.ts';
import { type CommandModule, contextOf, JSON_FLAG, SESSION_ID } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { connect } from '../upload/connect.ts';

const MIN_SECONDS = 60;

const command = defineCommand({
  meta: { name: 'grant', description: 'Make a token for one session: it can finish or abort this upload and do nothing else' },
  args: {
    session_id: SESSION_ID,
    expires: { type: 'string', valueHint: 'duration', description: 'Time that it is valid: 1h, 7d; at least 1m, at most 30d' },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [sessionId = ''] = flags._;
    const reader = new FlagReader();
    const expiresInMs = reader.durationMs('expires', flags.expires);
    const expiresInSeconds = expiresInMs === undefined ? undefined : Math.floor(expiresInMs / 1_000);
    if (expiresInSeconds !== undefined && (expiresInSeconds < MIN_SECONDS || expiresInSeconds > MAX_CAPABILITY_SECONDS))
      reader.fault('--expires must be from 1m to 30d.');
    reader.check('grant');
    const controlPlane = connect(context);
    const capability = await about({ sessionId }, () =>
      controlPlane.grantCapability(sessionId, expiresInSeconds === undefined ? {} : { expiresInSeconds }),
    );
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ type: 'capability', ...capability })}\n`);
      return EXIT.ok;
    }
    const until = formatInstant(new Date(capability.expiresAt));
    context.stderr.write(
      `for the session ${sessionId} alone, until ${until}, shown only now. As PARTWAY_TOKEN: partway resume ${sessionId} FILE\n`,
    );
    context.stderr.line(`if no header can be sent, before the path: ${controlPlane.server}/c/TOKEN/api/uploads/${sessionId}/…`);
    context.stdout.write(`${capability.token}\n`);
    return EXIT.ok;
  },
});

export default {
  command,
  examples: ['partway grant ses_01kaz3v8f6q2m4n7x9y0w5r1td', 'partway grant ses_01kaz3v8f6q2m4n7x9y0w5r1td --expires 12h --json'],
} satisfies CommandModule;
