import { isAbsolute, resolve } from 'node:path';
import type { CliContext } from '../terminal/context.ts';
import { UsageError } from './usage-error.ts';

/** Resolves a path as it was typed. @throws UsageError where it is relative to a folder that no longer exists */
export function absolutePath(context: CliContext, path: string): string {
  if (isAbsolute(path)) return path;
  if (context.workingDirectory !== undefined) return resolve(context.workingDirectory, path);
  throw new UsageError(
    `The working directory was deleted, so "${path}" leads nowhere.`,
    'Change to a folder that exists, or give the whole path.',
  );
}
