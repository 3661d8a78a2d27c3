import type { CommandDef } from 'citty';
import { VERIFY_RESUME } from '../../client/source/verify-resume.ts';
import type { CliContext } from '../terminal/context.ts';

type Rows = readonly (readonly [string, string])[];

/** A command of citty, with what `partway <command> --help` shows below citty's usage. */
export interface CommandModule {
  // biome-ignore lint/suspicious/noExplicitAny: citty's own type for a command with whatever arguments
  readonly command: CommandDef<any>;
  readonly examples: readonly string[];
  /** Name and meaning of each variable, if they are not the usual ones; a function if they are loaded only when needed. */
  readonly environment?: Rows | (() => Promise<Rows>);
}

/** Types citty's `data`, which is the context that `runCli` passed in. */
export function contextOf(data: unknown): CliContext {
  return data as CliContext;
}

export const JSON_FLAG = { type: 'boolean', description: 'Write JSON to stdout, one object a line' } as const;
export const QUIET_FLAG = { type: 'boolean', description: 'Show no progress, only the result, warnings and errors' } as const;
export const SESSION_ID = { type: 'positional', description: 'The id of an upload session: ses_…', required: true } as const;
/** Not `as const` as a whole, because citty requires writable options. */
const VERIFY_RESUME_FLAG = {
  type: 'enum' as const,
  options: [...VERIFY_RESUME],
  default: 'full' as const,
  description: 'Compare stored parts that the journal does not vouch for with the file: all, one in 16 (at least 8), or none',
};
export const RUNNING_SESSION_ID = {
  type: 'positional',
  description: 'The id of an upload session: ses_…; may be left out while one upload runs on this machine',
  required: false,
} as const;
export const SENDING_FLAGS = {
  concurrency: { type: 'string', valueHint: '1..16', description: 'Most parts in flight at once; adapts below it' },
  limit: {
    type: 'string',
    valueHint: 'rate',
    description: 'Send no faster than this: 8Mbit or 2MiB each second; the unit must say which',
  },
  'max-outage': {
    type: 'string',
    valueHint: 'duration',
    description: 'Give up when nothing can be reached for this long, also before a file begins: 0s, 30m, 24h (default), 7d',
  },
  'verify-resume': VERIFY_RESUME_FLAG,
  json: JSON_FLAG,
  quiet: QUIET_FLAG,
} as const;
