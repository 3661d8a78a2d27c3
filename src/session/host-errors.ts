/**
 * Codes of errors that concern only the host of a server, and never reach a client. Commands recognise them by these codes, because
 * importing the classes would load the server.
 */
export const HOST_ERROR_CODES = {
  /** A setting is wrong. */
  settings: 'SETTINGS_INVALID',
  /** The database cannot be opened at all. */
  databaseUnusable: 'SESSION_STORE_UNUSABLE',
  /** The database cannot serve now. */
  databaseUnavailable: 'SESSION_STORE_UNAVAILABLE',
} as const;
