/** Rules for the attributes of an object. Where S3 and MinIO differ the narrower limit applies, so that no request fails only at the object store. */

/** Metadata name that holds the id of the session which uploaded the object. After a lost answer to Complete it tells whose object this is. */
export const SESSION_METADATA = 'partway-session';

export const DISPOSITIONS = ['inline', 'attachment'] as const;
export type Disposition = (typeof DISPOSITIONS)[number];

/** S3's limit. */
export const MAX_TAGS = 10;
/** Metadata names become header names at the object store, which allows only these characters. */
export const METADATA_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const METADATA_HEADER = 'x-amz-meta-';
/**
 * Limit on all metadata. S3 limits names and values to 2 KB; MinIO also counts the `x-amz-meta-` of each name, and refuses 2,049 bytes
 * (measured). All headers of a request together have 8 KB and hold each name twice, the second time in the list of signed headers, so
 * names count twice here.
 */
const MAX_METADATA_BYTES = 2_000;
const SESSION_ID_BYTES = 30;

/** The characters that MinIO accepts in tags (measured); S3 accepts letters of all scripts. */
const TAG_TEXT = /^[A-Za-z0-9 +\-=._:/@]*$/;
const MAX_TAG_NAME = 128;
const MAX_TAG_VALUE = 256;
/** The share of tags in the 8 KB of headers. With the most metadata and the longest file name, about 1 KB is left for the signature. */
const MAX_TAGS_BYTES = 3_000;

/** Returns why an object cannot have this metadata, or undefined. Names that differ only in case are the same: object stores use lower case. */
export function findMetadataFault(metadata: Readonly<Record<string, string>>): string | undefined {
  const seen = new Set([SESSION_METADATA]);
  let bytes = bytesOf(SESSION_METADATA, SESSION_ID_BYTES);
  for (const [name, value] of Object.entries(metadata)) {
    if (!METADATA_NAME.test(name))
      return `the name "${name}" is not 1 to 64 letters, digits, "-" and "_", the first a letter or digit`;
    const lower = name.toLowerCase();
    if (lower === SESSION_METADATA) return `the name "${name}" is partway's own`;
    if (seen.has(lower)) return `the name "${name}" is given twice (upper and lower case are the same)`;
    seen.add(lower);
    bytes += bytesOf(name, encodeURIComponent(value.toWellFormed()).length);
  }
  if (bytes <= MAX_METADATA_BYTES) return undefined;
  return `names and values have ${bytes} bytes, URL-encoded and with what is added to each; at most ${MAX_METADATA_BYTES} are possible`;
}

function bytesOf(name: string, valueBytes: number): number {
  return 2 * (METADATA_HEADER.length + name.length) + valueBytes;
}

/** Returns why an object cannot have these tags, or undefined. */
export function findTagsFault(tags: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(tags);
  if (entries.length > MAX_TAGS) return `there are ${entries.length}; at most ${MAX_TAGS} are possible`;
  for (const [name, value] of entries) {
    if (name === '' || name.length > MAX_TAG_NAME) return `the name "${name}" does not have 1 to ${MAX_TAG_NAME} characters`;
    if (value.length > MAX_TAG_VALUE) return `the value of "${name}" has more than ${MAX_TAG_VALUE} characters`;
    if (!TAG_TEXT.test(name) || !TAG_TEXT.test(value)) {
      return `"${name}=${value}" has a character other than letters (A to Z), digits, spaces and + - = . _ : / @`;
    }
    if (/^aws:/i.test(name)) return `the name "${name}" is one of S3's own`;
  }
  const bytes = encodeTags(tags).length;
  if (bytes <= MAX_TAGS_BYTES) return undefined;
  return `names and values have ${bytes} bytes, URL-encoded; at most ${MAX_TAGS_BYTES} are possible`;
}

/** Formats tags for the header `x-amz-tagging`. */
export function encodeTags(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
}
