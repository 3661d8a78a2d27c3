import { homedir, tmpdir } from 'node:os';
import { reportFailure, runCli } from './run-cli.ts';
import { keepHeapSmall } from './small-heap.ts';
import type { CliContext } from './terminal/context.ts';
import { TextOutput } from './terminal/text-output.ts';

keepHeapSmall(process.argv[2]);

/** Undefined if the system does not know: help and many commands work without a home or a working directory; the others say so. */
function whereKnown(find: () => string): string | undefined {
  try {
    return find() || undefined;
  } catch {
    return undefined;
  }
}

// Only this file of the CLI uses `process`; everything else receives what it needs.
const context: CliContext = {
  env: process.env,
  stdout: new TextOutput(process.stdout),
  stderr: new TextOutput(process.stderr),
  signals: process,
  exit: (code) => process.exit(code),
  platform: process.platform,
  homeDirectory: whereKnown(homedir),
  temporaryDirectory: tmpdir(),
  workingDirectory: whereKnown(process.cwd),
  pid: process.pid,
  now: Date.now,
};

// A reader that has gone (`| head`, a closed terminal) must not end an upload.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.on('uncaughtException', (error) => process.exit(reportFailure(error, context, process.argv.includes('--json'))));

// No process.exit here: text written to a pipe may still be in transit.
process.exitCode = await runCli(process.argv.slice(2), context);
