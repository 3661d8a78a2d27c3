import { create } from 'content-disposition';
import type { Disposition } from '../../session/object-attributes.ts';

/** The limit of file systems on one name: no browser could save a longer one. Keeps the header far below the limits of stores. */
const MAX_NAME_BYTES = 255;
/** Characters that a file dialog obeys instead of showing: `exe.\u202egpj` would look like another kind of file. */
const INVISIBLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/**
 * Makes the header with which a browser shows or saves an object under the file's name. Always ASCII: other letters are encoded by RFC 8187,
 * with a fallback for clients that do not know it. (MinIO refuses the signature of a header that is not ASCII.)
 */
export function contentDispositionHeader(type: Disposition, fileName: string): string {
  const name = downloadName(fileName);
  return create(name === '' ? undefined : name, { type });
}

/** Reduces a path to one safe name, in any script. */
function downloadName(fileName: string): string {
  const base = fileName.split(/[/\\]/).at(-1) ?? '';
  return shorten(base.replaceAll(INVISIBLE, '_').trim());
}

/** Shortens a name and keeps its extension, which decides how the file is opened. */
function shorten(name: string): string {
  const [extension = ''] = /\.[A-Za-z0-9]{1,16}$/.exec(name) ?? [];
  const characters = Array.from(name.slice(0, name.length - extension.length));
  let room = MAX_NAME_BYTES - extension.length;
  const kept = characters.filter((character) => {
    room -= Buffer.byteLength(character);
    return room >= 0;
  });
  return kept.join('') + extension;
}
