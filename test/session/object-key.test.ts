import { describe, expect, it } from 'vitest';
import { UploadError } from '../../src/session/errors.ts';
import { checkObjectKey } from '../../src/session/object-key.ts';

describe('an object key', () => {
  // MinIO stores all of these under exactly this name (measured).
  it.each([
    ['a plain name', 'video.mp4'],
    ['segments', '2026/11/video.mp4'],
    ['spaces and a plus', 'my holiday + more.mp4'],
    ['a trailing space', 'video.mp4 '],
    ['a backslash', 'a\\b'],
    ['an emoji', '🎬.mp4'],
    ['decomposed letters', 'cafe\u0301.mp4'],
    ['what Windows forbids', 'a:*?"<>|b'],
    ['dots that are no segment of their own', '...a/..b/c..'],
    ['a segment of 255 bytes', 'x'.repeat(255)],
    ['a segment of 255 bytes in two-byte letters and one more', `${'é'.repeat(127)}x`],
    ['1,024 bytes', `${'x'.repeat(255)}/`.repeat(3).concat('y/'.repeat(60), 'z'.repeat(136))],
    ['64 segments', 'a/'.repeat(63).concat('b')],
    ['letters that look like others', 'te\u0430m/\uff0e\uff0e/x'],
    ['one that another key would hide in listings', 'conf/child'],
  ])('may be %s', (_, key) => {
    expect(() => checkObjectKey(key)).not.toThrow();
  });

  it.each([
    ['nothing', '', 'empty'],
    ['a leading slash, which MinIO drops', '/video.mp4', 'starts or ends with "/"'],
    ['a trailing slash', 'video/', 'starts or ends with "/"'],
    ['an empty segment', 'a//b', '"//"'],
    ['only a slash', '/', 'starts or ends with "/"'],
    ['a segment "."', 'a/./b', 'the segment "."'],
    ['a segment ".."', 'a/../b', 'the segment ".."'],
    ['nothing but ".."', '..', 'the segment ".."'],
    ['".." between backslashes', 'a\\..\\b', 'the segment ".."'],
    ['a NUL', 'a\0b', 'U+0000'],
    ['a newline', 'a\nb', 'U+000A'],
    ['an escape sequence', 'a\u001b[31mb', 'U+001B'],
    ['a C1 control character', 'a\u009bb', 'U+009B'],
    ['what turns the direction of text', 'a\u202ecod.exe', 'U+202E'],
    ['what turns the direction of Arabic text', 'a\u061cb', 'U+061C'],
    ['what MinIO lists as another key', 'a__XLDIR__', '__XLDIR__'],
    ['what MinIO does not list at all', 'a__XLDIR__/b', '__XLDIR__'],
    ['65 segments', 'a/'.repeat(64).concat('b'), '65 segments'],
    ['a segment of 256 bytes, which only Complete would refuse', `a/${'x'.repeat(256)}`, '256 bytes'],
    ['a segment of 128 two-byte letters', 'é'.repeat(128), '256 bytes'],
    ['1,025 bytes', `${'x'.repeat(255)}/`.repeat(4).concat('y'), '1025 bytes'],
    ['half a surrogate pair', 'a\ud800b', 'not valid Unicode'],
  ])('may not be %s', (_, key, reason) => {
    let refusal: unknown;
    try {
      checkObjectKey(key);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(UploadError);
    expect(refusal).toMatchObject({ code: 'INVALID_KEY', hint: expect.stringContaining('--key') });
    expect((refusal as UploadError).detail).toContain(reason);
  });
});
