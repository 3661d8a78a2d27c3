import { UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { CHECKSUM } from '../session/checksum.ts';
import type { Instant } from '../session/session.ts';
import { createPartSigner, type SignPart } from './part-signer.ts';
import type { PartToPresign } from './port.ts';
import { createCalls } from './s3-clients.ts';
import type { KeyPair } from './signing-credentials.ts';

export interface CheckedStore extends KeyPair {
  readonly publicEndpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly keyPrefix: string;
  /** Date of the two URLs. An instant and not a clock, which could go on to the next second between them. */
  readonly at: Instant;
}

/** A part whose key, upload id and checksum hold characters that are easily encoded wrongly. */
const SAMPLE = { uploadId: 'a+b/c==', partNumber: 17, contentLength: 5, checksum: 'k+/aHQ==', expiresInSeconds: 3_600 } as const;
const SAMPLE_KEY = "signer check/it's (ü) 100%.mov";
/** Not a real token, but with such characters: URLs of sessions have one. */
const SAMPLE_TOKEN = 'an/example+token==';

/**
 * Signs the same part URL of the configured object store with our signer and with the AWS SDK's. Sends nothing.
 * @param signPart Our signer, unless a test passes another one.
 * @returns how the two differ, or undefined if they do not.
 */
export async function findSignerFault(
  store: CheckedStore,
  signPart: SignPart = createPartSigner({ ...store, now: () => store.at, clockOffset: () => 0 }),
): Promise<string | undefined> {
  const part = { ...SAMPLE, key: `${store.keyPrefix}${SAMPLE_KEY}` };
  const { accessKeyId, secretAccessKey } = store;
  const ours = new URL(signPart(part, { accessKeyId, secretAccessKey, sessionToken: SAMPLE_TOKEN, expiresAt: null }).url);
  try {
    return difference(ours, new URL(await signBySdk(store, part)));
  } catch (error) {
    return `the AWS SDK cannot sign URLs for this object store: ${error instanceof Error ? error.message : error}`;
  }
}

async function signBySdk(store: CheckedStore, part: PartToPresign): Promise<string> {
  const { publicEndpoint, region, bucket, accessKeyId, secretAccessKey, at } = store;
  const client = createCalls({ endpoint: publicEndpoint, region, accessKeyId, secretAccessKey, sessionToken: SAMPLE_TOKEN });
  const { key, uploadId, partNumber, contentLength, checksum } = part;
  const command = new UploadPartCommand({
    Bucket: bucket,
    Key: key,
    UploadId: uploadId,
    PartNumber: partNumber,
    ContentLength: contentLength,
    [CHECKSUM.s3Field]: checksum,
  });
  command.middlewareStack.add(
    (next) => (input) => {
      // The name of the operation, which S3 ignores, and our URLs do not have.
      delete (input.request as { query?: Record<string, unknown> }).query?.['x-id'];
      return next(input);
    },
    { name: 'partwayOmitOperation', step: 'build' },
  );
  try {
    return await getSignedUrl(client, command, {
      expiresIn: part.expiresInSeconds,
      signingDate: new Date(at),
      unhoistableHeaders: new Set([CHECKSUM.header]),
    });
  } finally {
    client.destroy();
  }
}

/** Names the parts of the URL that differ, without quoting them. */
function difference(ours: URL, theirs: URL): string | undefined {
  const parameters = new Set([...ours.searchParams.keys(), ...theirs.searchParams.keys()]);
  const different = [
    ...(ours.origin === theirs.origin ? [] : ['the host']),
    ...(ours.pathname === theirs.pathname ? [] : ['the path']),
    ...[...parameters].filter((name) => ours.searchParams.get(name) !== theirs.searchParams.get(name)).sort(),
  ];
  return different.length === 0
    ? undefined
    : `partway and the AWS SDK sign the same part URL differently: ${different.join(', ')}`;
}
