import { defineCommand } from 'citty';
import { createServerWait } from '../../client/control-plane/server-wait.ts';
import { openFileSource } from '../../client/index.ts';
import { nothingSent, resultOf } from '../../client/transfer/upload-result.ts';
import { absolutePath } from '../input/absolute-path.ts';
import { type CommandModule, contextOf, SENDING_FLAGS, SESSION_ID } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { rememberedPath } from '../journal/remembered-path.ts';
import { attempt, type KnownSubject } from '../upload/attempt.ts';
import { openSession } from '../upload/open-session.ts';
import { uploadFile } from '../upload/upload-file.ts';
import { type UploadSetup, withUploadSetup } from '../upload/upload-setup.ts';

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
    return withUploadSetup(context, flags, new FlagReader(), 'resume', async (setup) => {
      const typed = { sessionId, ...(path === undefined ? {} : { path }) };
      const { exitCode } = await attempt(setup, typed, (subject) => resume(sessionId, path, subject, setup));
      return exitCode;
    });
  },
});

async function resume(
  sessionId: string,
  givenPath: string | undefined,
  subject: KnownSubject,
  setup: UploadSetup,
): Promise<void> {
  const { controlPlane, maxOutageMs, onWaiting, interruption, reporter } = setup;
  const { signal } = interruption;
  const untilAnswered = createServerWait({ controlPlane, signal, maxOutageMs, onEvent: onWaiting });
  const find = async () => ({ session: await untilAnswered(() => controlPlane.get(sessionId, signal)), created: false });
  const opened = await openSession(find, subject, setup);
  const { session, remaining, entry } = opened;
  // Without a path, a completed session needs no file and none is compared. With a path, the engine compares file and object.
  if (remaining === 'compare' && givenPath === undefined)
    return reporter.done(resultOf(session, nothingSent(0), session.size), session.fileName);
  const path = givenPath ?? rememberedPath(entry, session, 'resume');
  subject.learn({ path });
  const source = await openFileSource(path);
  try {
    await uploadFile({ ...opened, source, path }, subject, setup);
  } finally {
    await source.close();
  }
}

export default {
  command,
  examples: [
    'partway resume ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    "partway resume ses_01kaz3v8f6q2m4n7x9y0w5r1td '/Volumes/Card/C0142.MOV'   on another machine",
  ],
} satisfies CommandModule;
