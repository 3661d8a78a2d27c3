import { extname } from 'node:path';

/** Content types of the files that cameras and editors write. Camera-raw formats have no registered type. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.avi': 'video/x-msvideo',
  '.braw': 'application/octet-stream',
  '.m2ts': 'video/mp2t',
  '.m4v': 'video/x-m4v',
  '.mkv': 'video/x-matroska',
  '.mov': 'video/quicktime',
  '.mp4': 'video/mp4',
  '.mts': 'video/mp2t',
  '.mxf': 'application/mxf',
  '.r3d': 'application/octet-stream',
  '.ts': 'video/mp2t',
  '.webm': 'video/webm',
};

/** Guesses the type from the extension; undefined where that says nothing, and the object store's default applies. */
export function guessContentType(fileName: string): string | undefined {
  return CONTENT_TYPES[extname(fileName).toLowerCase()];
}
