import type { ObjectStoreFailure } from '../../object-store/port.ts';
import type { ServiceErrorCode } from '../../session/errors.ts';
import type { Unavailability } from '../../session-store/port/session-store.ts';

/** What an object store failure that no rule of the service foresaw means for the client. */
export const STORE_CODES = {
  unavailable: 'STORE_UNAVAILABLE',
  'bucket-missing': 'BUCKET_NOT_FOUND',
  refused: 'STORE_REFUSED',
  full: 'STORE_FULL',
  'upload-missing': 'SESSION_BUSY',
  'part-invalid': 'SESSION_BUSY',
  'object-exists': 'OBJECT_EXISTS',
  'checksum-mismatch': 'CHECKSUM_MISMATCH',
} as const satisfies Record<ObjectStoreFailure, ServiceErrorCode>;

const PUT_BACK = 'Whoever runs the server has to stop it, put the database back, and start it again: its log says how.';

/**
 * The texts that clients get when the database does not serve. All of it passes (`STORE_UNAVAILABLE`): they wait, and go on by themselves. What
 * happened to the file passes with a new start of the server.
 */
export const DATABASE_TROUBLES = {
  away: "The server's database does not answer.",
  full: "The server's database cannot be written: its disk is full.",
  'read-only': "The server's database cannot be written: it is read-only.",
  'disk-error': "The server's database cannot be written: its disk is full, or fails.",
  'file-deleted': `The server's database file was deleted or moved while the server ran. ${PUT_BACK}`,
  'file-replaced': `The server's database file was replaced while the server ran. ${PUT_BACK}`,
  'file-truncated': `The server's database file was truncated while the server ran. ${PUT_BACK}`,
  'file-overwritten': `The server's database file was overwritten while the server ran. ${PUT_BACK}`,
  'wal-lost':
    "A file beside the server's database was deleted while the server ran. Whoever runs the server has to start it again: its log says how.",
  'file-damaged': `The server's database file is damaged. ${PUT_BACK}`,
} as const satisfies Record<Unavailability, string>;
