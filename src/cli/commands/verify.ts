import { defineCommand } from 'citty';
import { ControlPlane } from '../../client/control-plane.ts';
import { checksumOf, openFileSource } from '../../client/index.ts';
import type { ByteSource } from '../../client/source/byte-source.ts';
import type * as wire from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { type CommandModule, contextOf, JSON_FLAG, QUIET_FLAG, SESSION_ID } from '../arguments/command.ts';
import { parseEnvironment } from '../arguments/environment.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../failures/exit-codes.ts';
import { about } from '../failures/failure.ts';
import { findSession } from '../find-session.ts';
import { rememberedPath } from '../journal/remembered-path.ts';
import { ReadingLine } from '../output/reading-line.ts';
import { formatSize } from '../output/sizes.ts';
import { absolutePath, journalOf } from '../sending.ts';

const command = defineCommand({
  meta: { name: 'verify', description: 'Compare a file, as it is now, with what the object store says of the object' },
  args: {
    session_id: SESSION_ID,
    file: { type: 'positional', description: 'The file, where this machine does not remember it', required: false },
    json: JSON_FLAG,
    quiet: QUIET_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [sessionId = '', file] = flags._;
    const controlPlane = new ControlPlane(parseEnvironment(context.env));
    return about({ sessionId }, async () => {
      const session = await findSession(controlPlane, sessionId);
      const journal = journalOf(context, (message) => context.stderr.write(`warning: ${message}\n`));
      const path = file === undefined ? await rememberedPath(journal, session, 'verify') : absolutePath(context, file);
      const object = await controlPlane.object(sessionId);
      await compare(path, object, context, flags.quiet === true);
      context.stdout.write(
        flags.json ? `${JSON.stringify({ type: 'verified', ...object })}\n` : `${renderVerified(path, object)}\n`,
      );
      return EXIT.ok;
    });
  },
});

/** @throws UploadError `VERIFY_MISMATCH` naming what differs. */
async function compare(path: string, object: wire.StoredObject, context: CliContext, quiet: boolean): Promise<void> {
  const source = await openFileSource(path);
  try {
    const difference = await findDifference(source, object, context, quiet);
    if (difference === undefined) return;
    throw new UploadError('VERIFY_MISMATCH', `${path} is not ${object.bucket}/${object.key}: ${difference}.`, {
      facts: { size: source.size, objectSize: object.size, objectChecksum: object.checksum },
      ...(object.uploadedBySession
        ? {}
        : { hint: 'The object does not carry the id of this session: something else was stored under its key since.' }),
    });
  } finally {
    await source.close();
  }
}

/** Reads the file only if its size leaves the question open. */
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

function renderVerified(path: string, { bucket, key, size, checksum }: wire.StoredObject): string {
  return `verified ${path} = ${bucket}/${key}  ${formatSize(size)}  crc32 ${checksum}`;
}

export default {
  command,
  examples: [
    'partway verify ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    "partway verify ses_01kaz3v8f6q2m4n7x9y0w5r1td '/Volumes/Card/C0142.MOV'",
  ],
} satisfies CommandModule;
