import { UsageError } from '../arguments/usage-error.ts';

/** A database that cannot be opened is told as what it is: a setting that is wrong. Known by its name: its class is the server's. */
export async function explainingStart<T>(open: () => T | Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const { name, message, hint, faults } = error as {
      name?: unknown;
      message: string;
      hint?: string;
      faults?: readonly string[];
    };
    if (name === 'ConfigError' && faults !== undefined) throw new UsageError(faults);
    throw name === 'SessionStoreStartError' ? new UsageError(message, hint) : error;
  }
}
