import { UploadError } from '../../session/errors.ts';
import { HOST_ERROR_CODES } from '../../session/host-errors.ts';
import { UsageError } from '../input/usage-error.ts';

/** Turns errors of the server's settings and database into errors of the command: a wrong setting, or an outage that passes. */
export async function explainingDatabase<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message, hint, faults } = error as {
      code?: unknown;
      message: string;
      hint?: string;
      faults?: readonly string[];
    };
    if (code === HOST_ERROR_CODES.settings && faults !== undefined) throw new UsageError(faults);
    if (code === HOST_ERROR_CODES.databaseUnavailable) throw new UploadError('STORE_UNAVAILABLE', message, { cause: error });
    throw code === HOST_ERROR_CODES.databaseUnusable ? new UsageError(message, hint) : error;
  }
}
