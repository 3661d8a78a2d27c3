import { randomBytes } from 'node:crypto';

/** Crockford's base32 leaves out letters that are easily mistaken for digits when an id is read aloud or typed. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 26;

/** Makes an id of `ses_` and 130 random bits. */
export function newSessionId(): string {
  // Five bits of each byte: 256 is a multiple of 32, so every character is equally likely.
  return `ses_${Array.from(randomBytes(LENGTH), (byte) => ALPHABET[byte % ALPHABET.length]).join('')}`;
}
