import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKeyTemplate, keyFromTemplate } from '../../src/session/key-template.ts';

const parts = { at: Date.UTC(2026, 10, 25, 23, 59), sessionId: 'ses_1', fileName: 'C0142.MOV', owner: 'camera-1' };

describe('a key from a template', () => {
  it.each([
    ['{fileName}', '', 'C0142.MOV', 'C0142.MOV'],
    ['{date}/{sessionId}/{fileName}', '', '2026-11-25/ses_1/C0142.MOV', '//{date}/{sessionId}/C0142.MOV'],
    ['raw/{owner}/{fileName}', '', 'raw/camera-1/C0142.MOV', 'raw/camera-1/C0142.MOV'],
    ['{fileName}', 'team-a/', 'team-a/C0142.MOV', 'team-a/C0142.MOV'],
    ['team-a/{date}', 'team-a/', 'team-a/2026-11-25', '//team-a/{date}'],
    ['{date}', 'team-a/', 'team-a/2026-11-25', '//team-a/{date}'],
    ['fixed', '', 'fixed', 'fixed'],
    ['{ fileName }-{{x', '', '{ fileName }-{{x', '{ fileName }-{{x'],
  ])('%s below "%s" is %s, found again by %s', (template, prefix, key, keyRequest) => {
    expect(keyFromTemplate(template, prefix, parts)).toEqual({ key, keyRequest });
  });

  it.each(['{}', '{name}', '{filename}', 'a/{DATE}', '{__proto__}', '{toString}'])('cannot hold %s', (template) => {
    expect(isKeyTemplate(template)).toBe(false);
    expect(() => keyFromTemplate(template, '', parts)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
  });

  it('keeps braces in a file name', () => {
    const fileName = '{sessionId}{date}{nothing}.mov';
    expect(keyFromTemplate('{fileName}', '', { ...parts, fileName })).toEqual({ key: fileName, keyRequest: fileName });
  });

  it('has the same key request whatever the day and the session are, and no key equals it', () => {
    const templates = fc.array(fc.constantFrom('{date}', '{sessionId}', '{fileName}', '{owner}', '/', 'x'), { maxLength: 6 });
    fc.assert(
      fc.property(templates, fc.nat(10 ** 12), fc.string(), (pieces, at, sessionId) => {
        const template = pieces.join('');
        const first = keyFromTemplate(template, 'p/', parts);
        const later = keyFromTemplate(template, 'p/', { ...parts, at, sessionId });
        expect(later.keyRequest).toBe(first.keyRequest);
        expect(first.key.startsWith('p/')).toBe(true);
        if (first.keyRequest !== first.key) expect(first.keyRequest.startsWith('//')).toBe(true);
      }),
    );
  });
});
