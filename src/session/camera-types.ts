/**
 * Content types that a rule `video/*` admits as well: cameras write them beside, or instead of, `video/…`, but they are registered
 * otherwise. docs/server.md lists them for people.
 */
export const CAMERA_TYPES: ReadonlySet<string> = new Set([
  // Recordings.
  'application/mxf',
  // Frames of cinema cameras (CinemaDNG, OpenEXR, DPX, TIFF), and raw stills.
  'image/x-adobe-dng',
  'image/aces',
  'image/dpx',
  'image/tiff',
  'image/x-canon-cr2',
  'image/x-canon-cr3',
  'image/x-fujifilm-raf',
  'image/x-gopro-gpr',
  'image/x-hasselblad-3fr',
  'image/x-nikon-nef',
  'image/x-nikon-nrw',
  'image/x-olympus-orf',
  'image/x-panasonic-rw2',
  'image/x-pentax-pef',
  'image/x-sony-arw',
  // Sound that is recorded apart.
  'audio/wav',
  'audio/x-wav',
  'audio/vnd.wave',
  'audio/aiff',
  // Sidecars: clip descriptions, media hash lists, subtitles with flight data, thumbnails (THM).
  'application/xml',
  'text/xml',
  'application/rdf+xml',
  'application/x-subrip',
  'image/jpeg',
]);
