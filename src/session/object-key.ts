import { UploadError } from './errors.ts';

/** S3's limit on a key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
/** A file system's limit on one name. MinIO takes the parts of a longer segment and fails only at Complete (measured). */
const MAX_SEGMENT_BYTES = 255;
/** MinIO's own mark of a folder: it lists `a__XLDIR__` as `a/`, and `a__XLDIR__/b` not at all, after a Complete that succeeded (measured). */
const FOLDER_MARK = '__XLDIR__';

/** Each segment above the last is looked up when a session is created. */
const MAX_SEGMENTS = 64;
/**
 * Control characters, line separators and what turns the direction of text: a key with them can break a log or a listing, or
 * look like another one. Stores would take them.
 */
export const UNPRINTABLE = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/u;

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

/** Completes the sentence "the key …"; undefined where there is none. */
export function findKeyFault(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (!key.isWellFormed()) return 'is not valid Unicode';
  const unprintable = UNPRINTABLE.exec(key)?.[0];
  if (unprintable !== undefined) return `contains the control character ${codePointOf(unprintable)}`;
  if (utf8Length(key) > MAX_KEY_BYTES) return `has ${utf8Length(key)} bytes; at most ${MAX_KEY_BYTES} are possible`;
  // A backslash separates segments where MinIO runs on Windows.
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

/** The keys above one: `a` and `a/b` of `a/b/c`. Where such an object is, MinIO no longer lists what lies below it (measured). */
export function parentsOf(key: string): string[] {
  const segments = key.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}
