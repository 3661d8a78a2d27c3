import { UploadError } from './errors.ts';

/** S3's limit on a key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
/** A file system's limit on one name. With a longer segment, MinIO accepts the parts and fails only at Complete (measured). */
const MAX_SEGMENT_BYTES = 255;
/** MinIO's own suffix for folders. After a successful Complete it lists `a__XLDIR__` as `a/`, and `a__XLDIR__/b` not at all (measured). */
const FOLDER_MARK = '__XLDIR__';

/** Limits the look-ups when a session is created: one for each segment above the last. */
const MAX_SEGMENTS = 64;
/**
 * Control characters, line separators and bidirectional controls. Object stores accept them, but a key with them can break a log or a
 * listing, or look like another key.
 */
export const UNPRINTABLE = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/u;

/**
 * Refuses, before anything is created, the keys that MinIO refuses late or stores under another name. (It drops a leading `/`; `//`, a
 * trailing `/`, `.`, `..` and NUL fail only after the bytes were sent.)
 * @throws UploadError `INVALID_KEY` with the rule that the key breaks.
 */
export function checkObjectKey(key: string): void {
  const fault = findKeyFault(key);
  if (fault !== undefined)
    throw new UploadError('INVALID_KEY', `The object key ${fault}.`, { hint: 'Choose another key with --key.' });
}

/** Returns the end of the sentence "The object key …", or undefined for a valid key. */
export function findKeyFault(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (!key.isWellFormed()) return 'is not valid Unicode';
  const unprintable = UNPRINTABLE.exec(key)?.[0];
  if (unprintable !== undefined) return `contains the control character ${codePointOf(unprintable)}`;
  if (utf8Length(key) > MAX_KEY_BYTES) return `has ${utf8Length(key)} bytes; at most ${MAX_KEY_BYTES} are possible`;
  // MinIO on Windows takes a backslash for a separator of segments.
  if (key.split(/[/\\]/).includes('..')) return 'contains the segment ".."';
  const segments = key.split('/');
  if (segments.length > MAX_SEGMENTS) return `has ${segments.length} segments; at most ${MAX_SEGMENTS} are possible`;
  for (const segment of segments) {
    if (segment === '') return 'starts or ends with "/", or contains "//"';
    if (segment === '.') return 'contains the segment "."';
    if (segment.endsWith(FOLDER_MARK)) return `has a segment that ends with ${FOLDER_MARK}, as MinIO marks folders`;
    if (utf8Length(segment) > MAX_SEGMENT_BYTES) {
      return `has a segment of ${utf8Length(segment)} bytes between slashes; at most ${MAX_SEGMENT_BYTES} are possible`;
    }
  }
  return undefined;
}

function codePointOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Returns the keys above a key: `a` and `a/b` for `a/b/c`. If one of them is an object, MinIO does not list the objects below it (measured). */
export function parentsOf(key: string): string[] {
  const segments = key.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}
