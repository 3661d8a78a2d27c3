import { UsageError } from '../arguments/usage-error.ts';

/** What keeps a database from being opened, in the words of the CLI. Known by its name: its class is the server's. */
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
