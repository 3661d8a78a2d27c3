import { describe, expect, it } from 'vitest';
import { escapeInvisible } from '../../src/text/visible-text.ts';

describe('escapeInvisible', () => {
  it.each([
    ['C0142.MOV', 'C0142.MOV'],
    ['ü é 日本 😀 ~', 'ü é 日本 😀 ~'],
    ['\x1b[31m\n\x7f\x9b', '\\u001b[31m\\u000a\\u007f\\u009b'],
    ['\u202efdp\u2069', '\\u202efdp\\u2069'],
    ['a\u2028b\u2029', 'a\\u2028b\\u2029'],
    ['\u{e0041}', '\\udb40\\udc41'],
    ['\ud800', '\\ud800'],
    // Emoji of several characters, joiners in Persian and Hindi, combining marks, Hangul, a variant of a Han character.
    ['👩‍💻 👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ 1️⃣ 👍🏽', '👩‍💻 👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ 1️⃣ 👍🏽'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['क्\u200dष', 'क्\u200dष'],
    ['e\u0301 한글 \u845b\u{e0100}', 'e\u0301 한글 \u845b\u{e0100}'],
    // The same characters in places where they only hide, or join nothing.
    ['a\u200db\u200c\ufeff\u00ad', 'a\\u200db\\u200c\\ufeff\\u00ad'],
    ['\u3164\u115f\uffa0\u2800\u034f\ufe0f', '\\u3164\\u115f\\uffa0\\u2800\\u034f\\ufe0f'],
    ['a\u{e0100}', 'a\\udb40\\udd00'],
    ['\u061c\u200e\u200f\u2066', '\\u061c\\u200e\\u200f\\u2066'],
  ])('makes %j %j', (text, shown) => {
    expect(escapeInvisible(text)).toBe(shown);
  });

  it('keeps the meaning of JSON', () => {
    const value = { name: Array.from({ length: 0x2100 }, (_, code) => String.fromCharCode(code)).join('') };
    expect(JSON.parse(escapeInvisible(JSON.stringify(value)))).toEqual(value);
  });
});
