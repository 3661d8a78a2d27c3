import { describe, expect, it } from 'vitest';
import { findMetadataFault, findTagsFault } from '../../src/session/object-attributes.ts';

function numbered(count: number, value = 'v', nameLength = 4): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [String(index).padStart(nameLength, 'n'), value]));
}

describe('metadata', () => {
  it.each([
    [{}],
    [{ shoot: 'ü 日本 😀 "x"\r\n', 'Camera-Body_2': '', '0': '0' }],
    [{ [`n${'a'.repeat(63)}`]: 'v' }],
    [{ 'partway-sessions': 'x' }],
    [{ lone: '\ud800' }],
  ])('takes %j', (metadata) => {
    expect(findMetadataFault(metadata)).toBeUndefined();
  });

  it.each<[Record<string, string>, string]>([
    [{ 'a:b': 'c' }, 'the name "a:b" is not'],
    [{ '': 'c' }, 'the name "" is not'],
    [{ '-a': 'c' }, 'the name "-a" is not'],
    [{ ü: 'c' }, 'the name "ü" is not'],
    [{ 'a\r\nx': 'c' }, 'is not 1 to 64'],
    [{ [`n${'a'.repeat(64)}`]: 'v' }, 'is not 1 to 64'],
    [{ 'partway-session': 'ses_2' }, "is partway's own"],
    [{ 'Partway-Session': 'ses_2' }, "is partway's own"],
    [{ shoot: '1', Shoot: '2' }, 'the name "Shoot" is given twice'],
  ])('refuses %j', (metadata, fault) => {
    expect(findMetadataFault(metadata)).toContain(fault);
  });

  it("has 2,000 bytes with partway's own, where each name counts twice", () => {
    // Twice x-amz-meta-partway-session (26), 30 bytes of an id, and twice x-amz-meta-name (15).
    const room = 2_000 - 82 - 30;
    expect(findMetadataFault({ name: 'v'.repeat(room) })).toBeUndefined();
    expect(findMetadataFault({ name: 'v'.repeat(room + 1) })).toContain('have 2001 bytes');
    // Each has nine bytes.
    expect(findMetadataFault({ name: '日'.repeat(Math.floor(room / 9)) })).toBeUndefined();
    expect(findMetadataFault({ name: '日'.repeat(Math.floor(room / 9) + 1) })).toContain('bytes');
    expect(findMetadataFault(numbered(61))).toBeUndefined();
    expect(findMetadataFault(numbered(62))).toContain('bytes');
  });
});

describe('tags', () => {
  it.each([
    [{}],
    [{ 'camera body': 'A7 +-=._:/@', empty: '' }],
    [numbered(10, 'v'.repeat(256), 40)],
    [{ ['n'.repeat(128)]: 'v'.repeat(256) }],
    [{ awsome: 'x', 'x-aws:': 'y' }],
  ])('take %j', (tags) => {
    expect(findTagsFault(tags)).toBeUndefined();
  });

  it.each<[Record<string, string>, string]>([
    [numbered(11), 'there are 11; at most 10'],
    [{ '': 'c' }, 'the name "" does not have 1 to 128 characters'],
    [{ ['n'.repeat(129)]: 'c' }, 'does not have 1 to 128'],
    [{ a: 'v'.repeat(257) }, 'the value of "a" has more than 256'],
    [{ ü: 'c' }, '"ü=c" has a character other than'],
    [{ a: '😀' }, 'has a character other than'],
    [{ a: 'b&c=d' }, 'has a character other than'],
    [{ a: 'b\r\nx: y' }, 'has a character other than'],
    [{ a: 'b\u00a0' }, 'has a character other than'],
    [{ 'AWS:x': 'y' }, 'the name "AWS:x" is one of S3\'s own'],
    [numbered(10, '/'.repeat(100)), 'at most 3000 are possible'],
  ])('do not take %j', (tags, fault) => {
    expect(findTagsFault(tags)).toContain(fault);
  });
});
