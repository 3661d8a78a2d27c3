import type { ObjectStoreFailure } from '../../object-store/port.ts';
import type { ServiceErrorCode } from '../../session/errors.ts';
import type { Unavailability } from '../../session-store/port/unavailable.ts';

/** Maps object store failures that no rule of the service handles to the codes that clients get. */
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

const PUT_BACK = 'The administrator of the server has to stop it, put the database back, and start it again: its log says how.';

/**
 * Texts that clients get while the database cannot be used. All of these are temporary (`STORE_UNAVAILABLE`), so clients wait and go on by
 * themselves. Damage to the database file lasts until the server is started again.
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
    "A file beside the server's database was deleted while the server ran. The administrator of the server has to start it again: its log says how.",
  'file-damaged': `The server's database file is damaged. ${PUT_BACK}`,
} as const satisfies Record<Unavailability, string>;
