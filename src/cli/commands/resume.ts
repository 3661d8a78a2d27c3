import { defineCommand } from 'citty';
import { createServerWait } from '../../client/control-plane/server-wait.ts';
import { openFileSource } from '../../client/index.ts';
import { nothingSent, resultOf } from '../../client/transfer/upload-result.ts';
import type * as wire from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { about } from '../errors/failure.ts';
import { type CommandModule, contextOf, SENDING_FLAGS, SESSION_ID } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { rememberedPath } from '../journal/remembered-path.ts';
import { absolutePath, attempt, send } from '../upload/sending.ts';
import { type UploadFileOptions, uploadFile } from '../upload/upload-file.ts';

const command = defineCommand({
  meta: { name: 'resume', description: 'Continue an upload session, here or on another machine that has the same file' },
  args: {
    session_id: SESSION_ID,
    file: { type: 'positional', description: 'The file, where this machine does not remember it', required: false },
    ...SENDING_FLAGS,
  },
  run({ args: flags, data }) {
    const context = contextOf(data);
    const [sessionId = '', file] = flags._;
    const path = file === undefined ? undefined : absolutePath(context, file);
    return send(context, flags, new FlagReader(), 'resume', async (options) => {
      const subject = { sessionId, ...(path === undefined ? {} : { path }) };
      const { exitCode } = await attempt(options, subject, () => resume(sessionId, path, options));
      return exitCode;
    });
  },
});

async function resume(sessionId: string, givenPath: string | undefined, options: UploadFileOptions): Promise<void> {
  const { controlPlane, maxOutageMs, onWaiting, interruption } = options;
  const { signal } = interruption;
  const untilAnswered = createServerWait({ controlPlane, signal, maxOutageMs, onEvent: onWaiting });
  const session = await untilAnswered(() => controlPlane.get(sessionId, signal));
  refuseEnded(session);
  // It needs no file any more, and none is compared. Asked about a certain one, the engine compares it with the object instead.
  if (session.status === 'completed' && givenPath === undefined)
    return options.reporter.done(resultOf(session, nothingSent(0), session.size), session.fileName);
  const path = givenPath ?? (await rememberedPath(options.journal, session, 'resume'));
  await about({ session, path }, async () => {
    const source = await openFileSource(path);
    try {
      await uploadFile({ source, path, session, created: false }, options);
    } finally {
      await source.close();
    }
  });
}

function refuseEnded({ status }: wire.Session): void {
  if (status !== 'aborted' && status !== 'expired' && status !== 'aborting') return;
  const what = status === 'expired' ? 'expired' : 'was aborted';
  throw new UploadError('SESSION_NOT_OPEN', `The session ${what}; its parts are deleted.`, {
    hint: 'Upload the file again; that starts a new session.',
    facts: { sessionStatus: status },
  });
}

export default {
  command,
  examples: [
    'partway resume ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    "partway resume ses_01kaz3v8f6q2m4n7x9y0w5r1td '/Volumes/Card/C0142.MOV'   on another machine",
  ],
} satisfies CommandModule;
