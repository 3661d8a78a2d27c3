import { homedir, tmpdir } from 'node:os';
import { runCli, tellFailure } from './run-cli.ts';
import { keepHeapSmall } from './small-heap.ts';
import type { CliContext } from './terminal/context.ts';
import { TextOutput } from './terminal/text-output.ts';

keepHeapSmall(process.argv[2]);

/** Help and many commands do without a home or a working directory; those that need one say so. */
function whereKnown(find: () => string): string | undefined {
  try {
    return find() || undefined;
  } catch {
    return undefined;
  }
}

// The one place of the CLI that knows the process: everything else is handed what it needs.
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

// A reader that went away (`| head`, a closed terminal) must not end an upload.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.on('uncaughtException', (error) => process.exit(tellFailure(error, context, process.argv.includes('--json'))));

// No process.exit here: what was written to a pipe may still be under way.
process.exitCode = await runCli(process.argv.slice(2), context);
