import type { ObjectStoreFailure } from '../object-store/port.ts';
import type { ServiceErrorCode } from '../session/errors.ts';

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
