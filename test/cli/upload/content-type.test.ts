import { describe, expect, it } from 'vitest';
import { guessContentType } from '../../../src/cli/upload/content-type.ts';
import { checkNewObject, NO_LIMITS } from '../../../src/session/access.ts';

describe('the content type of a file', () => {
  it.each([
    ['C0142.MOV', 'video/quicktime'],
    ['clip.mp4', 'video/mp4'],
    ['A001C001.mxf', 'application/mxf'],
    ['00001.MTS', 'video/mp2t'],
    ['00001.m2ts', 'video/mp2t'],
    ['A001_001.R3D', 'video/x-red-r3d'],
    ['A001.braw', 'video/x-blackmagic-raw'],
    ['frame_0001.dng', 'image/x-adobe-dng'],
    ['VID_00.insv', 'video/mp4'],
    ['GL010001.LRV', 'video/mp4'],
    ['GX010001.THM', 'image/jpeg'],
    ['C0142M01.XML', 'application/xml'],
    ['take1.wav', 'audio/wav'],
    ['VTS_01_1.VOB', 'video/mpeg'],
    ['tape.dv', 'video/x-dv'],
    ['photo.png', 'image/png'],
    ['sheet.pdf', 'application/pdf'],
    ['proxies.zip', 'application/zip'],
  ])('of %s is %s', (name, type) => {
    expect(guessContentType(name)).toBe(type);
  });

  it.each(['a.xyz', 'README', '.mov', 'a.', 'a.constructor', 'a.__proto__'])('of %s is left to the object store', (name) => {
    expect(guessContentType(name)).toBeUndefined();
  });
});

describe('a token that is limited to video/*', () => {
  const limits = { ...NO_LIMITS, contentTypes: ['video/*'] };
  const check = (key: string) => () =>
    checkNewObject(limits, { bucket: 'uploads', key, size: 1, contentType: guessContentType(key) ?? null });

  it.each(
    [
      'mov mp4 m4v mxf avi braw r3d ari arx dng mts m2ts insv lrv lrf dv vob crm nev mlv gpr insp',
      'dpx exr cr3 nef arw wav bwf xml thm srt mhl rmd xmp',
    ].flatMap((line) => line.split(' ')),
  )('takes what cameras write: .%s', (extension) => {
    expect(check(`card/CLIP0001.${extension.toUpperCase()}`)).not.toThrow();
  });

  it.each(['png', 'pdf', 'zip', 'exe', 'html', 'bin', 'xyz'])('refuses .%s', (extension) => {
    expect(check(`a.${extension}`)).toThrow(expect.objectContaining({ code: 'CONTENT_TYPE_NOT_ALLOWED' }));
  });
});
