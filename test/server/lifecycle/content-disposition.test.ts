import { parse } from 'content-disposition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentDispositionHeader } from '../../../src/server/lifecycle/content-disposition.ts';

/** Reads the file name as a current browser does. */
function nameIn(header: string): string | undefined {
  return parse(header).parameters.filename;
}

describe('the header Content-Disposition', () => {
  it.each([
    ['C0142.MOV', 'attachment; filename=C0142.MOV'],
    ['two words.mov', 'attachment; filename="two words.mov"'],
    ['a "quoted" name;x=y.mov', 'attachment; filename="a \\"quoted\\" name;x=y.mov"'],
    ['50%20off.mov', "attachment; filename=50%20off.mov; filename*=UTF-8''50%2520off.mov"],
    ['Käse.mov', 'attachment; filename="K?se.mov"; filename*=UTF-8\'\'K%C3%A4se.mov'],
    ['日本 😀.mov', 'attachment; filename="?? ??.mov"; filename*=UTF-8\'\'%E6%97%A5%E6%9C%AC%20%F0%9F%98%80.mov'],
    ['', 'attachment'],
    [' / ', 'attachment'],
  ])('of %j is %s', (fileName, header) => {
    expect(contentDispositionHeader('attachment', fileName)).toBe(header);
  });

  it('says inline where that was asked for', () => {
    expect(contentDispositionHeader('inline', 'a.mov')).toBe('inline; filename=a.mov');
  });

  it.each([
    ['a\r\nx-evil: 1.mov', 'a__x-evil: 1.mov'],
    ['exe.\u202evom.mov', 'exe._vom.mov'],
    ['nul\0 esc\x1b del\x7f c1\x9b.mov', 'nul_ esc_ del_ c1_.mov'],
    ['half \ud800.mov', 'half _.mov'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\clips\\a.mov', 'a.mov'],
    ['a\u200d👩\u200d👧.mov', 'a\u200d👩\u200d👧.mov'],
  ])('names the file %j %j', (fileName, name) => {
    expect(nameIn(contentDispositionHeader('attachment', fileName))).toBe(name);
  });

  it('is cut to what a file system accepts, and keeps the extension', () => {
    expect(nameIn(contentDispositionHeader('attachment', `${'x'.repeat(1_000)}.mov`))).toBe(`${'x'.repeat(251)}.mov`);
    expect(nameIn(contentDispositionHeader('attachment', `${'日'.repeat(1_000)}.mov`))).toBe(`${'日'.repeat(83)}.mov`);
    expect(nameIn(contentDispositionHeader('attachment', '😀'.repeat(1_000)))).toBe('😀'.repeat(63));
  });

  it('is one line of ASCII of at most 1,100 bytes, and names the requested file, whatever its name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1_024 }), (fileName) => {
        const header = contentDispositionHeader('attachment', fileName);
        expect(header).toMatch(/^attachment(?:; filename=[\x20-\x7e]*)?$/);
        expect(header.length).toBeLessThanOrEqual(1_100);
        expect(parse(header).type).toBe('attachment');
        expect(Object.keys(parse(header).parameters).every((name) => name === 'filename' || name === 'filename*')).toBe(true);
      }),
    );
  });
});
