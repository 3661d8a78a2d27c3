import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHECKSUM_PATTERN, checksumOfParts, EMPTY_CHECKSUM, RunningChecksum } from '../../src/session/checksum.ts';

function sum(...pieces: Uint8Array[]): string {
  const checksum = new RunningChecksum(crc32);
  for (const piece of pieces) checksum.add(piece);
  return checksum.value;
}

describe('a checksum', () => {
  it('of no bytes, and of no parts, is that of an empty object', () => {
    expect(sum()).toBe(EMPTY_CHECKSUM);
    expect(checksumOfParts([])).toBe(EMPTY_CHECKSUM);
    expect(EMPTY_CHECKSUM).toBe('AAAAAA==');
  });

  it('is the same in pieces, as a whole, and from the checksums of the parts', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (pieces) => {
        const whole = sum(Buffer.concat(pieces));

        expect(whole).toMatch(CHECKSUM_PATTERN);
        expect(sum(...pieces)).toBe(whole);
        expect(checksumOfParts(pieces.map((piece) => ({ checksum: sum(piece), size: piece.length })))).toBe(whole);
      }),
    );
  });

  it.each([null, undefined, '', 'AAAA'])('of parts cannot be computed if one of them is %j', (checksum) => {
    expect(() => checksumOfParts([{ checksum, size: 1 }])).toThrow(RangeError);
  });
});
