import { extname } from 'node:path';
import { mimes } from 'mrmime';

/**
 * Formats of cameras and editors that mrmime leaves out, because their types are not registered, or types where the field uses
 * another one. Where no type is registered, this is the one that ExifTool reports, or one made the same way.
 */
const CAMERA_TYPES: Readonly<Record<string, string>> = {
  '3fr': 'image/x-hasselblad-3fr',
  aif: 'audio/aiff',
  aiff: 'audio/aiff',
  ari: 'video/x-arri-raw',
  arw: 'image/x-sony-arw',
  arx: 'video/x-arri-raw',
  avi: 'video/x-msvideo',
  braw: 'video/x-blackmagic-raw',
  bwf: 'audio/wav',
  cr2: 'image/x-canon-cr2',
  cr3: 'image/x-canon-cr3',
  crm: 'video/x-canon-crm',
  dng: 'image/x-adobe-dng',
  dv: 'video/x-dv',
  fcpxml: 'application/xml',
  flac: 'audio/flac',
  gpr: 'image/x-gopro-gpr',
  insp: 'image/jpeg',
  insv: 'video/mp4',
  lrf: 'video/mp4',
  lrv: 'video/mp4',
  m4v: 'video/x-m4v',
  mhl: 'application/xml',
  mkv: 'video/x-matroska',
  mlv: 'video/x-mlv',
  mod: 'video/mpeg',
  mxf: 'application/mxf',
  nef: 'image/x-nikon-nef',
  nev: 'video/x-nikon-nev',
  nrw: 'image/x-nikon-nrw',
  orf: 'image/x-olympus-orf',
  pef: 'image/x-pentax-pef',
  r3d: 'video/x-red-r3d',
  raf: 'image/x-fujifilm-raf',
  rmd: 'application/xml',
  rw2: 'image/x-panasonic-rw2',
  srt: 'application/x-subrip',
  thm: 'image/jpeg',
  tod: 'video/mp2t',
  vob: 'video/mpeg',
  wmv: 'video/x-ms-wmv',
  xml: 'application/xml',
  xmp: 'application/rdf+xml',
};

/** Guesses from the extension; undefined if it is unknown: the object store's default applies then. */
export function guessContentType(fileName: string): string | undefined {
  const extension = extname(fileName).slice(1).toLowerCase();
  if (Object.hasOwn(CAMERA_TYPES, extension)) return CAMERA_TYPES[extension];
  return Object.hasOwn(mimes, extension) ? mimes[extension] : undefined;
}
