import { describe, expect, it } from 'vitest';
import { createPartSigner, type SignPart } from '../../src/object-store/part-signer.ts';
import { type CheckedStore, findSignerFault } from '../../src/object-store/signer-check.ts';

const STORE: CheckedStore = {
  publicEndpoint: 'https://store.example.com:9000/sub folder',
  region: 'eu-central-1',
  bucket: 'uploads',
  keyPrefix: 'films (2026)/',
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  at: Date.UTC(2026, 10, 30, 12, 0, 0, 999),
};

/** Our signer for another store, or with its URL changed. */
function otherSigner(store: Partial<CheckedStore>, change = (url: string) => url): SignPart {
  const sign = createPartSigner({ ...STORE, ...store, now: () => STORE.at, clockOffset: () => 0 });
  return (part, credentials) => {
    const signed = sign(part, credentials);
    return { ...signed, url: change(signed.url) };
  };
}

describe('the comparison of our signer with that of the AWS SDK', () => {
  it.each<[string, Partial<CheckedStore>]>([
    ['a path in its public endpoint', {}],
    ['a default port', { publicEndpoint: 'https://store.example.com' }],
    ['an address', { publicEndpoint: 'http://[::1]:9000' }],
    ['the default region', { region: 'us-east-1' }],
    ['dots in the bucket', { bucket: 'my.bucket.example' }],
    ['no key prefix', { keyPrefix: '' }],
    ['a secret in any script', { secretAccessKey: 'gehéim/日本 +=' }],
  ])('finds no fault for a store with %s', async (_, store) => {
    expect(await findSignerFault({ ...STORE, ...store })).toBeUndefined();
  });

  it.each<[string, SignPart, string]>([
    ['signs for another region', otherSigner({ region: 'us-east-1' }), 'X-Amz-Credential, X-Amz-Signature'],
    [
      'signs for another host',
      otherSigner({ publicEndpoint: 'https://other.example.com/sub folder' }),
      'the host, X-Amz-Signature',
    ],
    ['encodes the path in another way', otherSigner({}, (url) => url.replace('%28', '(')), 'the path'],
    ['leaves a header unsigned', otherSigner({}, (url) => url.replace('content-length%3B', '')), 'X-Amz-SignedHeaders'],
    ['omits the token', otherSigner({}, (url) => url.replace(/&X-Amz-Security-Token=[^&]*/, '')), 'X-Amz-Security-Token'],
    [
      'makes another signature',
      otherSigner({}, (url) => url.replace(/.$/, (last) => (last === '0' ? '1' : '0'))),
      'X-Amz-Signature',
    ],
  ])('finds a signer that %s, and quotes no URL', async (_, signPart, different) => {
    expect(await findSignerFault(STORE, signPart)).toBe(
      `partway and the AWS SDK sign the same part URL differently: ${different}`,
    );
  });

  it('finds a region that the SDK replaces by another one', async () => {
    expect(await findSignerFault({ ...STORE, region: 'aws-global' })).toMatch(/differently: X-Amz-Credential, /);
  });

  it('finds a region for which the SDK does not sign', async () => {
    expect(await findSignerFault({ ...STORE, region: 'fips-us-east-1' })).toMatch(/^the AWS SDK cannot sign URLs .* FIPS/);
  });
});
