import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CRC32_BASE64, combineCrc32, decodeCrc32, EMPTY_CRC32, encodeCrc32 } from '../../src/session/crc32.ts';

const bytes = fc.uint8Array({ maxLength: 2_000 });
const crc = fc.integer({ min: 0, max: 0xffffffff });
const length = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 2 ** 42 }));
const SEEDED = { seed: 20261123 };

describe('combined CRC32s', () => {
  it('are the CRC32 of the concatenated bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(combineCrc32(crc32(a), crc32(b), b.length)).toBe(crc32(Buffer.concat([a, b])));
      }),
      SEEDED,
    );
  });

  it('are the CRC32 of any number of parts, including empty ones', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes, fc.constant(new Uint8Array())), { maxLength: 12 }), (parts) => {
        const combined = parts.reduce((sum, part) => combineCrc32(sum, crc32(part), part.length), EMPTY_CRC32);
        expect(combined).toBe(crc32(Buffer.concat(parts)));
      }),
      SEEDED,
    );
  });

  it('do not change when no bytes are added before or after', () => {
    fc.assert(
      fc.property(crc, length, (value, anyLength) => {
        expect(combineCrc32(value, EMPTY_CRC32, 0)).toBe(value);
        expect(combineCrc32(EMPTY_CRC32, value, anyLength)).toBe(value);
      }),
      SEEDED,
    );
  });

  it('do not depend on where the cuts are, also beyond 4 GiB', () => {
    fc.assert(
      fc.property(crc, crc, length, crc, length, (a, b, lengthB, c, lengthC) => {
        const fromTheLeft = combineCrc32(combineCrc32(a, b, lengthB), c, lengthC);
        const fromTheRight = combineCrc32(a, combineCrc32(b, c, lengthC), lengthB + lengthC);
        expect(fromTheLeft).toBe(fromTheRight);
      }),
      SEEDED,
    );
  });

  it('give the CRC32 of 8 GiB of zeros from that of 1 MiB', () => {
    const mebibyte = Buffer.alloc(1024 ** 2);
    const crcOfOne = crc32(mebibyte);
    let [sum, size] = [crcOfOne, mebibyte.length];
    while (size < 8 * 1024 ** 3) [sum, size] = [combineCrc32(sum, sum, size), size * 2];
    let inSteps = crcOfOne;
    for (let count = 1; count < 8 * 1024; count++) inSteps = combineCrc32(inSteps, crcOfOne, mebibyte.length);
    expect(sum).toBe(inSteps);
  });
});

describe("a CRC32 in S3's encoding", () => {
  it('is the base64 of four bytes, big-endian', () => {
    expect(encodeCrc32(EMPTY_CRC32)).toBe('AAAAAA==');
    expect(encodeCrc32(crc32('123456789'))).toBe(Buffer.from('cbf43926', 'hex').toString('base64'));
    expect(encodeCrc32(0xffffffff)).toBe('/////w==');
  });

  it('decodes to the encoded value', () => {
    fc.assert(
      fc.property(crc, (value) => {
        const text = encodeCrc32(value);
        expect(text).toMatch(CRC32_BASE64);
        expect(decodeCrc32(text)).toBe(value);
      }),
      SEEDED,
    );
  });

  it.each([
    '',
    'AAAAAA',
    'AAAAAA=',
    'AAAAAB==',
    'AAAAAAA=',
    'AAAAAAAA',
    ' AAAAAA==',
    'AAAAAA==\n',
    'AAAA-A==',
    '30B8nw==-2',
    '0xcbf43926',
  ])('is not %j', (text) => {
    expect(() => decodeCrc32(text)).toThrow(RangeError);
  });
});
