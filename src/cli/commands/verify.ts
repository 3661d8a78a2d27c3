import { defineCommand } from 'citty';
import { checksumOf, openFileSource } from '../../client/index.ts';
import type { ByteSource } from '../../client/source/byte-source.ts';
import type * as wire from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { about } from '../errors/failure.ts';
import { formatSize } from '../format/sizes.ts';
import { absolutePath } from '../input/absolute-path.ts';
import { type CommandModule, contextOf, JSON_FLAG, QUIET_FLAG, SESSION_ID } from '../input/command.ts';
import { openJournal } from '../journal/open-journal.ts';
import { rememberedPath } from '../journal/remembered-path.ts';
import { ReadingLine } from '../progress/reading-line.ts';
import type { CliContext } from '../terminal/context.ts';
import { connect } from '../upload/connect.ts';
import { findSession } from '../upload/find-session.ts';

const command = defineCommand({
  meta: { name: 'verify', description: 'Compare a file, as it is now, with what the object store says of the object' },
  args: {
    session_id: SESSION_ID,
    file: { type: 'positional', description: 'The file, if this machine does not remember it', required: false },
    json: JSON_FLAG,
    quiet: QUIET_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [sessionId = '', file] = flags._;
    const controlPlane = connect(context);
    return about({ sessionId }, async () => {
      const session = await findSession(controlPlane, sessionId);
      const journal = openJournal(context, (message) => context.stderr.line(`warning: ${message}`));
      const path =
        file === undefined ? rememberedPath(await journal.read(sessionId), session, 'verify') : absolutePath(context, file);
      const object = await controlPlane.object(sessionId);
      await compare(path, object, context, flags.quiet === true);
      context.stdout.line(flags.json ? JSON.stringify({ type: 'verified', ...object }) : renderVerified(path, object));
      return EXIT.ok;
    });
  },
});

/** @throws UploadError `VERIFY_MISMATCH` naming what differs. */
async function compare(path: string, object: wire.StoredObject, context: CliContext, quiet: boolean): Promise<void> {
  const source = await openFileSource(path);
  try {
    const difference = await findDifference(source, object, context, quiet);
    const facts = { size: source.size, objectSize: object.size, objectChecksum: object.checksum };
    if (difference !== undefined) {
      throw new UploadError('VERIFY_MISMATCH', `${path} is not ${object.bucket}/${object.key}: ${difference}.`, {
        facts,
        ...hintOf(object),
      });
    }
    if (wasWrittenAgain(object)) throw writtenAgain(path, object, facts);
  } finally {
    await source.close();
  }
}

function hintOf(object: wire.StoredObject): { hint?: string } {
  if (!object.uploadedBySession)
    return { hint: 'The object does not carry the id of this session: something else was stored under its key since.' };
  return wasWrittenAgain(object) ? { hint: 'The object was written again since the upload completed.' } : {};
}

/** Whether the object was written again after the upload. False if the server is older and does not report it. */
function wasWrittenAgain({ sinceCompletion: since }: wire.StoredObject): boolean {
  return since != null && (since.rewritten || !since.sameSize || !since.sameChecksum);
}

/** Explains an object of the same size and CRC32 that this upload did not make: a CRC32 can be forged. */
function writtenAgain(path: string, { bucket, key }: wire.StoredObject, facts: Readonly<Record<string, unknown>>): UploadError {
  return new UploadError('VERIFY_MISMATCH', `${bucket}/${key} was written again since the upload completed.`, {
    facts: { ...facts, rewritten: true },
    hint: `Size and CRC32 are still those of ${path}, but the ETag is another one, and a CRC32 does not prove against malice. To be sure, upload the file again with --overwrite, or under another --key.`,
  });
}

/** Reads the file only if the size is the same. */
async function findDifference(
  source: ByteSource,
  object: wire.StoredObject,
  context: CliContext,
  quiet: boolean,
): Promise<string | undefined> {
  if (source.size !== object.size) return `the file has ${source.size} bytes, the object ${object.size}`;
  if (object.checksum === null) return 'the store holds no CRC32 of the object, so nothing can be compared';
  const line = quiet ? undefined : new ReadingLine(context, source.size);
  try {
    const checksum = await checksumOf(source, (bytes) => line?.advance(bytes));
    return checksum === object.checksum ? undefined : `the file's CRC32 is ${checksum}, the object's ${object.checksum}`;
  } finally {
    line?.end();
  }
}

function renderVerified(path: string, { bucket, key, size, checksum, sinceCompletion }: wire.StoredObject): string {
  const unchanged = sinceCompletion == null ? '' : '  not written again since the upload';
  return `verified ${path} = ${bucket}/${key}  ${formatSize(size)}  crc32 ${checksum}${unchanged}`;
}

export default {
  command,
  examples: [
    'partway verify ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    "partway verify ses_01kaz3v8f6q2m4n7x9y0w5r1td '/Volumes/Card/C0142.MOV'",
  ],
} satisfies CommandModule;
