import { UsageError } from '../arguments/usage-error.ts';

/** What keeps a database from being opened, in the words of the CLI. Known by its name: its class is the server's. */
export function explainingStart<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    const { name, message, hint } = error as { name?: unknown; message: string; hint?: string };
    throw name === 'SessionStoreStartError' ? new UsageError(message, hint) : error;
  }
}
