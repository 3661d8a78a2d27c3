import { describe, expect, it } from 'vitest';
import { escapeUnseen } from '../../src/contract/visible-text.ts';

describe('escapeUnseen', () => {
  it.each([
    ['C0142.MOV', 'C0142.MOV'],
    ['ü é 日本 😀 ~', 'ü é 日本 😀 ~'],
    ['\x1b[31m\n\x7f\x9b', '\\u001b[31m\\u000a\\u007f\\u009b'],
    ['\u202efdp\u2069', '\\u202efdp\\u2069'],
    ['a\u2028b\u2029', 'a\\u2028b\\u2029'],
    ['\u{e0041}', '\\udb40\\udc41'],
    ['\ud800', '\\ud800'],
  ])('makes %j %j', (text, shown) => {
    expect(escapeUnseen(text)).toBe(shown);
  });

  it('makes the same JSON of JSON', () => {
    const value = { name: Array.from({ length: 0x2100 }, (_, code) => String.fromCharCode(code)).join('') };
    expect(JSON.parse(escapeUnseen(JSON.stringify(value)))).toEqual(value);
  });
});
