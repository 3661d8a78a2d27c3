import { type ArgsDef, defineCommand } from 'citty';
import { createServerWait } from '../../client/control-plane/server-wait.ts';
import { openFileSource, openUpload, probeNetwork } from '../../client/index.ts';
import type { ByteSource } from '../../client/source/byte-source.ts';
import type * as wire from '../../contract/wire.ts';
import { type Network, STRATEGIES, type Strategy } from '../../session/strategy.ts';
import { EXIT, exitCodeOfAll } from '../errors/exit-codes.ts';
import type { Subject } from '../errors/failure.ts';
import { absolutePath } from '../input/absolute-path.ts';
import { type CommandModule, contextOf, SENDING_FLAGS } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { OBJECT_FLAGS, type ObjectAttributes, readAttributes } from '../input/object-flags.ts';
import type { StrategyReport } from '../progress/reporter.ts';
import { type Attempt, attempt, endsEverything, type KnownSubject } from '../upload/attempt.ts';
import { guessContentType } from '../upload/content-type.ts';
import { openSession } from '../upload/open-session.ts';
import { decideStrategy, type StrategyChoice } from '../upload/strategy-choice.ts';
import { uploadFile } from '../upload/upload-file.ts';
import { type UploadSetup, withUploadSetup } from '../upload/upload-setup.ts';

/** The flags of `upload` alone. */
interface UploadFlags {
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
    const uploadFlags: UploadFlags = {
      attributes: readAttributes(reader, flags, rawArgs, cmd.args as ArgsDef),
      overwrite: flags.overwrite === true,
      contentType: flags['content-type'],
      strategy: flags.strategy,
      network: flags.network,
      partSize: reader.size('part-size', flags['part-size']),
    };
    return withUploadSetup(context, flags, reader, 'upload', async (setup) => {
      const attempts: Attempt[] = [];
      for (const file of files) {
        const path = absolutePath(context, file);
        const typed = subjectOf(path, uploadFlags);
        attempts.push(await attempt(setup, typed, (subject) => uploadOne(path, uploadFlags, subject, setup)));
        if (attempts.some(endsEverything)) break;
      }
      setup.reporter.notTried(files.slice(attempts.length));
      if (files.length > 1) setup.reporter.note(summaryOf(attempts, files.length));
      return exitCodeOfAll(attempts.map(({ exitCode }) => exitCode));
    });
  },
});

function subjectOf(path: string, { attributes: { key, keyTemplate } }: UploadFlags): Subject {
  return { path, ...(key === undefined ? {} : { key }), ...(keyTemplate === undefined ? {} : { keyTemplate }) };
}

async function uploadOne(path: string, flags: UploadFlags, subject: KnownSubject, setup: UploadSetup): Promise<void> {
  const source = await openFileSource(path);
  try {
    const choice = await chooseStrategy(source, flags, setup);
    const bytesPerSecond = await setup.journal.latestSpeed(setup.controlPlane.server);
    const find = () => createOrFind(source, { ...flags, bytesPerSecond }, choice, setup);
    const opened = await openSession(find, subject, setup);
    await uploadFile({ ...opened, source, path, strategy: reportOf(choice, opened.session) }, subject, setup);
  } finally {
    await source.close();
  }
}

function chooseStrategy(source: ByteSource, flags: UploadFlags, setup: UploadSetup): Promise<StrategyChoice> {
  const { controlPlane, journal, interruption, maxOutageMs, onWaiting } = setup;
  const { signal } = interruption;
  return decideStrategy({
    ...flags,
    size: source.size,
    latestTrouble: () => journal.latestTrouble(controlPlane.server),
    probe: async () => {
      // Waits for the server first: one that is away says nothing about the network.
      const untilAnswered = createServerWait({ controlPlane, signal, maxOutageMs, onEvent: onWaiting });
      await untilAnswered(() => controlPlane.readiness(signal));
      return probeNetwork({ controlPlane, signal });
    },
  });
}

/** Requests the plan that was typed. If none was, an existing session keeps its plan, whatever this command would choose. */
function createOrFind(
  source: ByteSource,
  flags: UploadFlags & { readonly bytesPerSecond: number | undefined },
  choice: StrategyChoice,
  { controlPlane, interruption, maxOutageMs, onWaiting }: UploadSetup,
) {
  const { attributes, overwrite, strategy, partSize, bytesPerSecond } = flags;
  const request = {
    ...attributes,
    overwrite,
    ...contentTypeOf(source, flags),
    ...(strategy === undefined ? {} : { strategy }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    // A part size was judged together with a strategy, so the two are sent together.
    ...(partSize === undefined ? {} : { partSize, strategy: choice.strategy }),
  };
  const { signal } = interruption;
  const waiting = { signal, maxOutageMs, onEvent: onWaiting };
  return openUpload({ controlPlane, source, request, preferredStrategy: choice.strategy, ...waiting });
}

/** The content type that was typed, or a guess. An existing session keeps its own type against a guess, but not against what was typed. */
function contentTypeOf({ name }: ByteSource, { contentType }: UploadFlags) {
  if (contentType !== undefined) return { contentType };
  const guessed = guessContentType(name);
  return guessed === undefined ? {} : { contentType: guessed, contentTypeGuessed: true };
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
