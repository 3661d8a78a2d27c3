import type { ObjectStoreFailure } from '../object-store/port.ts';
import type { ServiceErrorCode } from '../session/errors.ts';
import type { Unavailability } from '../session-store/port.ts';

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

/** What clients are told of a database that does not serve. All of it passes (`STORE_UNAVAILABLE`): they wait, and go on by themselves. */
export const DATABASE_TROUBLES = {
  away: "The server's database does not answer.",
  full: "The server's database cannot be written: its disk is full.",
  'read-only': "The server's database cannot be written: it is read-only.",
  'disk-error': "The server's database cannot be written: its disk is full, or fails.",
} as const satisfies Record<Unavailability, string>;
