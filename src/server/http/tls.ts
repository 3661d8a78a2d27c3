import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';

export interface TlsFiles {
  /** PEM: the server's certificate first, then the intermediate ones up to a root that clients know. */
  readonly certPath: string;
  /** PEM, not encrypted. */
  readonly keyPath: string;
}

/** The certificate and its key, or every fault of the two files. */
export type TlsPair = { readonly options: SecureContextOptions } | { readonly faults: readonly string[] };

/** Reads the pair, at the start and after every change. Never throws: after a change, the server goes on with the pair in use. */
export function readTlsPair({ certPath, keyPath }: TlsFiles): TlsPair {
  const cert = readPem('PARTWAY_TLS_CERT', certPath, 'certificate', (pem) => new X509Certificate(pem));
  const key = readPem('PARTWAY_TLS_KEY', keyPath, 'private key that needs no passphrase', createPrivateKey);
  const faults = [cert, key].flatMap((read) => ('fault' in read ? [read.fault] : []));
  if ('fault' in cert || 'fault' in key) return { faults };
  if (!cert.parsed.checkPrivateKey(key.parsed)) {
    return { faults: [`PARTWAY_TLS_KEY names ${keyPath}, which is not the key of the certificate in ${certPath}`] };
  }
  // Set each time: a new secure context takes nothing over from the one before.
  return { options: { cert: cert.pem, key: key.pem, minVersion: 'TLSv1.2' } };
}

/** Reads one file. Its faults never quote a parser's error, which may hold the key. */
function readPem<Parsed>(variable: string, path: string, what: string, parse: (pem: Buffer) => Parsed) {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    return { fault: `${variable} names ${path}, which ${reason}` };
  }
  try {
    return { pem, parsed: parse(pem) };
  } catch {
    return { fault: `${variable} names ${path}, which holds no ${what} in PEM form` };
  }
}
