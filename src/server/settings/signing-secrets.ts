import { Secret } from '../core/secret.ts';

/** The format of Standard Webhooks: `whsec_` and the base64 of 24 to 64 random bytes. */
const FORM = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const [FEWEST_BYTES, MOST_BYTES] = [24, 64];
/** The secret in use, and the next or the last one while receivers change over. */
const MOST_SECRETS = 2;

/** Reads secrets that are separated by spaces. Undefined where one is invalid. */
export function parseSigningSecrets(setting: string): readonly Secret[] | undefined {
  const words = setting.trim().split(/\s+/);
  if (words.length > MOST_SECRETS || !words.every(isSigningSecret)) return undefined;
  return words.map((word) => new Secret(word));
}

function isSigningSecret(word: string): boolean {
  const [, base64 = ''] = FORM.exec(word) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 && bytes.length >= FEWEST_BYTES && bytes.length <= MOST_BYTES;
}
