import { create } from 'content-disposition';
import type { Disposition } from '../../session/object-attributes.ts';

/** A file system's limit on one name: nobody can save a longer one. Keeps the header far below what a store takes. */
const MAX_NAME_BYTES = 255;
/** What a file dialog would obey rather than show: `exe.\u202egpj` would be read as another kind of file. */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/**
 * The header with which a browser shows or saves an object, under the file's name. Always ASCII: other letters travel as RFC 8187
 * has them, with a fallback for those who cannot read that. (MinIO refuses the signature of a header that is not ASCII.)
 */
export function contentDispositionHeader(type: Disposition, fileName: string): string {
  const name = downloadName(fileName);
  return create(name === '' ? undefined : name, { type });
}

/** One name, of any script. */
function downloadName(fileName: string): string {
  const base = fileName.split(/[/\\]/).at(-1) ?? '';
  return shorten(base.replaceAll(OBEYED, '_').trim());
}

/** Keeps the extension, by which the file is opened. */
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
