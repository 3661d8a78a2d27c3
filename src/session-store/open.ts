import type { SessionStore } from './port.ts';

/** The URL holds a password, and is shown to nobody but the driver. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: { reveal(): string } };

/**
 * Opens the store, loading its driver and no other.
 * @throws SessionStoreStartError
 */
export async function openSessionStore(location: StoreLocation): Promise<SessionStore> {
  if (location.kind === 'postgres') {
    const { openPostgresStore } = await import('./postgres.ts');
    return openPostgresStore(location.url.reveal());
  }
  const { openSqliteStore } = await import('./sqlite.ts');
  return openSqliteStore(location.path);
}
