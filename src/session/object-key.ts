import { UploadError } from './errors.ts';

/** S3's limit on a key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
/** A file system's limit on one name. MinIO takes the parts of a longer segment and fails only at Complete (measured). */
const MAX_SEGMENT_BYTES = 255;

/**
 * Refuses, before anything is created, the keys that MinIO refuses late or stores under another name
 * (a leading `/` is dropped by it; `//`, a trailing `/`, `.`, `..` and NUL are errors only after the bytes were sent).
 * @throws UploadError `INVALID_KEY` saying which rule the key breaks.
 */
export function checkObjectKey(key: string): void {
  const fault = findKeyFault(key);
  if (fault !== undefined)
    throw new UploadError('INVALID_KEY', `The object key ${fault}.`, { hint: 'Choose another key with --key.' });
}

function findKeyFault(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (!key.isWellFormed()) return 'is not valid Unicode';
  if (key.includes('\0')) return 'contains a NUL character';
  if (utf8Length(key) > MAX_KEY_BYTES) return `has ${utf8Length(key)} bytes; at most ${MAX_KEY_BYTES} are possible`;
  for (const segment of key.split('/')) {
    if (segment === '') return 'starts or ends with "/", or contains "//"';
    if (segment === '.' || segment === '..') return `contains the segment "${segment}"`;
    if (utf8Length(segment) > MAX_SEGMENT_BYTES) {
      return `has a segment of ${utf8Length(segment)} bytes between slashes; at most ${MAX_SEGMENT_BYTES} are possible`;
    }
  }
  return undefined;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
