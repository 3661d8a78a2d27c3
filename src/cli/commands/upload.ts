import { type ArgsDef, defineCommand } from 'citty';
import { createServerWait } from '../../client/control-plane/server-wait.ts';
import { openFileSource, openUpload, probeNetwork } from '../../client/index.ts';
import type { ByteSource } from '../../client/source/byte-source.ts';
import { isSessionId } from '../../contract/paths.ts';
import type * as wire from '../../contract/wire.ts';
import { type Network, STRATEGIES, type Strategy } from '../../session/strategy.ts';
import { EXIT, exitCodeOfAll } from '../errors/exit-codes.ts';
import { about, type Subject } from '../errors/failure.ts';
import { type CommandModule, contextOf, SENDING_FLAGS } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { OBJECT_FLAGS, type ObjectAttributes, readAttributes } from '../input/object-flags.ts';
import type { StrategyReport } from '../progress/reporter.ts';
import { guessContentType } from '../upload/content-type.ts';
import { type Attempt, absolutePath, attempt, endsEverything, send } from '../upload/sending.ts';
import { decideStrategy, type StrategyChoice } from '../upload/strategy-choice.ts';
import { type UploadFileOptions, uploadFile } from '../upload/upload-file.ts';

interface Wishes {
  readonly attributes: ObjectAttributes;
  readonly overwrite: boolean;
  readonly contentType: string | undefined;
  readonly strategy: Strategy | undefined;
  readonly network: 'auto' | Network;
  readonly partSize: number | undefined;
}

const command = defineCommand({
  meta: { name: 'upload', description: 'Upload files, or continue them: what is stored already is never sent again' },
  args: {
    'file…': { type: 'positional', description: 'The files to upload, one after another', required: true },
    ...OBJECT_FLAGS,
    overwrite: { type: 'boolean', description: 'Replace an object that exists' },
    strategy: {
      type: 'enum',
      options: [...STRATEGIES],
      description: 'How to send the file; chosen by size and network if left out',
    },
    network: {
      type: 'enum',
      options: ['auto', 'reliable', 'unreliable'],
      default: 'auto',
      description: 'What to expect of the network',
    },
    'part-size': { type: 'string', valueHint: 'size', description: 'Bytes in a part: 16MiB, 100MB, …' },
    ...SENDING_FLAGS,
  },
  run({ args: flags, rawArgs, cmd, data }) {
    const context = contextOf(data);
    const files = flags._;
    const reader = new FlagReader();
    if (flags.key !== undefined && files.length > 1) {
      reader.fault('--key names one object, so it goes with one FILE. Upload the files one by one to name each.');
    }
    const wishes: Wishes = {
      attributes: readAttributes(reader, flags, rawArgs, cmd.args as ArgsDef),
      overwrite: flags.overwrite === true,
      contentType: flags['content-type'],
      strategy: flags.strategy,
      network: flags.network,
      partSize: reader.size('part-size', flags['part-size']),
    };
    return send(context, flags, reader, 'upload', async (options) => {
      const attempts: Attempt[] = [];
      for (const file of files) {
        const path = absolutePath(context, file);
        attempts.push(await attempt(options, subjectOf(path, wishes), () => uploadOne(path, wishes, options)));
        if (attempts.some(endsEverything)) break;
      }
      options.reporter.notTried(files.slice(attempts.length));
      if (files.length > 1) options.reporter.note(summaryOf(attempts, files.length));
      return exitCodeOfAll(attempts.map(({ exitCode }) => exitCode));
    });
  },
});

function subjectOf(path: string, { attributes: { key, keyTemplate } }: Wishes): Subject {
  return { path, ...(key === undefined ? {} : { key }), ...(keyTemplate === undefined ? {} : { keyTemplate }) };
}

async function uploadOne(path: string, wishes: Wishes, options: UploadFileOptions): Promise<void> {
  const source = await openFileSource(path);
  try {
    const choice = await chooseStrategy(source, wishes, options);
    const bytesPerSecond = await options.journal.latestSpeed(options.controlPlane.server);
    const { session, created } = await open(source, { ...wishes, bytesPerSecond }, choice, options);
    await uploadFile({ source, path, session, created, strategy: reportOf(choice, session) }, options);
  } finally {
    await source.close();
  }
}

function chooseStrategy(source: ByteSource, wishes: Wishes, options: UploadFileOptions): Promise<StrategyChoice> {
  const { controlPlane, journal, interruption, maxOutageMs, onWaiting } = options;
  const { signal } = interruption;
  return decideStrategy({
    ...wishes,
    size: source.size,
    latestTrouble: () => journal.latestTrouble(controlPlane.server),
    probe: async () => {
      // A server that is away says nothing of the network.
      const untilAnswered = createServerWait({ controlPlane, signal, maxOutageMs, onEvent: onWaiting });
      await untilAnswered(() => controlPlane.readiness(signal));
      return probeNetwork({ controlPlane, signal });
    },
  });
}

/** What was typed is asked for; what was decided here gives way to the plan of a session that exists. */
function open(
  source: ByteSource,
  wishes: Wishes & { readonly bytesPerSecond: number | undefined },
  choice: StrategyChoice,
  { controlPlane, interruption, maxOutageMs, onWaiting }: UploadFileOptions,
) {
  const { attributes, overwrite, strategy, partSize, bytesPerSecond } = wishes;
  const request = {
    ...attributes,
    overwrite,
    ...contentTypeOf(source, wishes),
    ...(strategy === undefined ? {} : { strategy }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    // A part size only makes sense with the strategy that it led to.
    ...(partSize === undefined ? {} : { partSize, strategy: choice.strategy }),
  };
  const { signal } = interruption;
  const waiting = { signal, maxOutageMs, onEvent: onWaiting };
  const opening = openUpload({ controlPlane, source, request, preferredStrategy: choice.strategy, ...waiting });
  // 409 SESSION_PLAN_DIFFERS and SESSION_ATTRIBUTES_DIFFER name the session that the flags do not fit.
  return opening.catch((error) => about({ ...sessionNamedBy(error) }, () => Promise.reject(error)));
}

/** A guess gives way to the content type of a session that exists; what was typed does not. */
function contentTypeOf({ name }: ByteSource, { contentType }: Wishes) {
  if (contentType !== undefined) return { contentType };
  const guessed = guessContentType(name);
  return guessed === undefined ? {} : { contentType: guessed, contentTypeGuessed: true };
}

function sessionNamedBy(error: unknown): { sessionId?: string } {
  const { sessionId } = (error as { facts?: { sessionId?: unknown } }).facts ?? {};
  return isSessionId(sessionId) ? { sessionId } : {};
}

function reportOf({ strategy, network, reason }: StrategyChoice, session: wire.Session): StrategyReport {
  const { partSize, partCount } = session;
  if (session.strategy === strategy) return { strategy, network, reason, partSize, partCount };
  return { strategy: session.strategy, network, reason: 'the existing session uses it', partSize, partCount };
}

function summaryOf(attempts: readonly Attempt[], fileCount: number): string {
  const uploaded = attempts.filter(({ exitCode }) => exitCode === EXIT.ok).length;
  const failed = attempts.length - uploaded;
  const untried = fileCount - attempts.length;
  const rest = [...(failed === 0 ? [] : [`${failed} failed`]), ...(untried === 0 ? [] : [`${untried} not tried`])];
  return [`${uploaded} of ${fileCount} files uploaded`, ...rest].join(', ');
}

export default {
  command,
  examples: [
    'partway upload C0142.MOV',
    'partway upload card-A/*.mov                       one after another; run it again to go on',
    "partway upload C0142.MOV --key 'shoots/2026-09-20/C0142.MOV'",
    "partway upload card-A/*.mov --key-template 'shoots/{date}/{fileName}' --tag camera=A --metadata 'shoot=Day 1'",
    'partway upload C0142.MOV --network unreliable     small parts in order, for a bad link',
    'partway upload C0142.MOV --json | tee upload.log  one JSON object a line, the last a summary',
  ],
} satisfies CommandModule;
