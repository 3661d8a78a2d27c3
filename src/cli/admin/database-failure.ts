import { UploadError } from '../../session/errors.ts';
import { UsageError } from '../input/usage-error.ts';

/**
 * A database that cannot be opened is told as what it is, a setting that is wrong; one that is full or away, as what passes. Known by their
 * names: the classes are the server's.
 */
export async function explainingDatabase<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, message, hint, faults } = error as {
      name?: unknown;
      message: string;
      hint?: string;
      faults?: readonly string[];
    };
    if (name === 'ConfigError' && faults !== undefined) throw new UsageError(faults);
    if (name === 'SessionStoreUnavailable') throw new UploadError('STORE_UNAVAILABLE', message, { cause: error });
    throw name === 'SessionStoreStartError' ? new UsageError(message, hint) : error;
  }
}
