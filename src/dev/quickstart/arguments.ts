import { SetupError } from '../process/setup-error.ts';

export interface QuickstartArguments {
  /** Undefined for a generated file. */
  readonly file: string | undefined;
  /** Passed to `partway upload` unchanged. */
  readonly uploadOptions: readonly string[];
  /** Keeps the servers running for uploads from elsewhere, instead of uploading. */
  readonly serve: boolean;
}

const USAGE = 'Usage: npm run quickstart [-- FILE [OPTIONS OF partway upload]]  or  npm run quickstart -- --serve';

export function parseArguments(args: readonly string[]): QuickstartArguments {
  const [first, ...rest] = args;
  if (first === undefined) return { file: undefined, uploadOptions: [], serve: false };
  if (first === '--serve' && rest.length === 0) return { file: undefined, uploadOptions: [], serve: true };
  if (first.startsWith('-')) throw new SetupError(`${first} comes before the file, or is not known.\n${USAGE}`);
  return { file: first, uploadOptions: rest, serve: false };
}

/** The same command line, quoted so that it can be pasted into a shell. */
export function repeatCommand({ file, uploadOptions }: QuickstartArguments): string {
  if (file === undefined) return 'npm run quickstart';
  return ['npm run quickstart --', ...[file, ...uploadOptions].map(quote)].join(' ');
}

export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
