import { createCipheriv, createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { S3Target } from './bucket.ts';
import type { PolicyDocument } from './policy.ts';
import type { MinioCredentials } from './server.ts';

/** The calls of MinIO's admin API that manage users; they need the root key. Every call may be repeated. @throws Error with MinIO's own message. */
export interface MinioAdmin {
  putPolicy(name: string, policy: PolicyDocument): Promise<void>;
  /** Creates the user, or gives it this secret. Access keys have 3 to 20 characters, secrets 8 to 40. */
  putUser(user: MinioCredentials): Promise<void>;
  setUserEnabled(accessKeyId: string, enabled: boolean): Promise<void>;
  /** Replaces all policies of the user by this one. */
  attachPolicy(name: string, accessKeyId: string): Promise<void>;
}

type Query = Readonly<Record<string, string>>;

export function minioAdmin(root: S3Target): MinioAdmin {
  const put = async (operation: string, query: Query, body: Buffer = Buffer.alloc(0)) => {
    const url = adminUrl(root.endpoint, operation, query);
    const headers = signedHeaders(root, 'PUT', url, body, new Date());
    const response = await fetch(url, { method: 'PUT', headers, body });
    if (!response.ok) throw new Error(`MinIO refused ${operation} (${response.status}): ${messageOf(await response.text())}`);
    await response.arrayBuffer();
  };
  return {
    putPolicy: (name, policy) => put('add-canned-policy', { name }, Buffer.from(JSON.stringify(policy))),
    async putUser({ accessKeyId, secretAccessKey }) {
      const body = JSON.stringify({ secretKey: secretAccessKey, status: 'enabled' });
      await put('add-user', { accessKey: accessKeyId }, await encryptForMinio(body, root.secretAccessKey));
    },
    setUserEnabled: (accessKeyId, enabled) =>
      put('set-user-status', { accessKey: accessKeyId, status: enabled ? 'enabled' : 'disabled' }),
    attachPolicy: (name, accessKeyId) =>
      put('set-user-or-group-policy', { policyName: name, userOrGroup: accessKeyId, isGroup: 'false' }),
  };
}

function adminUrl(endpoint: string, operation: string, query: Query): URL {
  const url = new URL(`/minio/admin/v3/${operation}`, endpoint);
  // SigV4 signs the query sorted.
  url.search = Object.entries(query)
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .sort()
    .join('&');
  return url;
}

/**
 * Signs a request by SigV4, for the service name s3, which MinIO expects for its admin API, too:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function signedHeaders(root: S3Target, method: string, url: URL, body: Buffer, at: Date): Record<string, string> {
  const date = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${date.slice(0, 8)}/${root.region}/s3/aws4_request`;
  const bodyHash = createHash('sha256').update(body).digest('hex');
  const headers = { host: url.host, 'x-amz-content-sha256': bodyHash, 'x-amz-date': date };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const request = [method, url.pathname, url.search.slice(1), lines.join(''), names, bodyHash].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(request).digest('hex')].join('\n');
  const key = scope.split('/').reduce<string | Buffer>((secret, step) => hmac(secret, step), `AWS4${root.secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  const { host: _, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${root.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/**
 * Encrypts a secret with the root secret, which is the only form that MinIO accepts: salt, 0x02 (PBKDF2 and AES-256-GCM), nonce, and a
 * single, last DARE package, whose additional data is the tag of an empty message (measured; github.com/secure-io/sio-go).
 */
async function encryptForMinio(text: string, rootSecret: string): Promise<Buffer> {
  const [salt, nonce] = [randomBytes(32), randomBytes(8)];
  const key = await promisify(pbkdf2)(rootSecret, salt, 8192, 32, 'sha256');
  const cipherOf = (counter: number) => createCipheriv('aes-256-gcm', key, Buffer.from([...nonce, counter, 0, 0, 0]));
  const empty = cipherOf(0);
  empty.final();
  const cipher = cipherOf(1).setAAD(Buffer.concat([Buffer.of(0x80), empty.getAuthTag()]));
  return Buffer.concat([salt, Buffer.of(2), nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

function messageOf(answer: string): string {
  return /"Message":"([^"]*)"/.exec(answer)?.[1] ?? /<Message>([^<]*)<\/Message>/.exec(answer)?.[1] ?? 'no reason given';
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
