import { isCertificateRefusal } from '../../outbound/certificate-refusal.ts';
import { isConnectionError } from '../../outbound/connection-errors.ts';

/** The kinds of failure that a person can do something about, where the error code alone does not say what. */
export type LinkTrouble = 'certificate' | 'no-tls' | 'only-tls' | 'no-http' | 'unknown-name' | 'other';

/**
 * A failure of the connection, not of the program: what a socket, the TLS layer, the HTTP parser or a name look-up reported. Made
 * where such an error is caught, whatever its code: VPNs, firewalls and damaged records keep producing new ones.
 */
export class LinkFailure extends Error {
  override readonly name = 'LinkFailure';
  readonly trouble: LinkTrouble;
  readonly code: string | undefined;

  /**
   * @param cause What the connection reported; its words become the message.
   * @param trouble Where more is known than the cause tells.
   */
  constructor(cause: unknown, trouble: LinkTrouble = troubleOf(cause)) {
    super(describe(cause, trouble), { cause });
    this.trouble = trouble;
    this.code = faultOf(cause).code;
  }
}

/** Matches an answer that is no TLS record: OpenSSL reads it as one of another version, or of an impossible length. */
const NO_TLS = /wrong version number|packet length too long|unsupported protocol|http request|https proxy request/i;

/** Turns an error of a connection into a LinkFailure. Any other error is a mistake in this program and stays as it is. */
export function asLinkFailure(error: unknown): unknown {
  return isConnectionError(error) ? new LinkFailure(error) : error;
}

/** Finds the failure of a link that an error is, or was caused by. */
export function linkFailureIn(error: unknown): LinkFailure | undefined {
  if (error instanceof LinkFailure) return error;
  return error instanceof Error && error.cause !== undefined ? linkFailureIn(error.cause) : undefined;
}

function troubleOf(cause: unknown): LinkTrouble {
  const { code = '', message } = faultOf(cause);
  if (code.startsWith('HPE_')) return 'no-http';
  if (code === 'ENOTFOUND') return 'unknown-name';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return NO_TLS.test(message) ? 'no-tls' : 'other';
  return isCertificateRefusal(code) ? 'certificate' : 'other';
}

function describe(cause: unknown, trouble: LinkTrouble): string {
  const { code, message, hostname } = faultOf(cause);
  switch (trouble) {
    case 'certificate':
      return `its certificate is not trusted (${code})`;
    case 'no-tls':
      return `what answers there does not speak TLS (${code}): a server on plain HTTP, or a sign-in page on the way`;
    case 'only-tls':
      return `what answers there speaks TLS (${code ?? message}), so its address begins with https://`;
    case 'no-http':
      return `what answers there does not speak HTTP (${code})`;
    case 'unknown-name':
      return `the name ${hostname ?? 'of that address'} is not known (${code})`;
    case 'other':
      return code ?? message;
  }
}

interface Fault {
  readonly code?: string | undefined;
  readonly message: string;
  readonly hostname?: string | undefined;
}

function faultOf(cause: unknown): Fault {
  if (!(cause instanceof Error)) return { message: String(cause) };
  const { code, hostname } = cause as NodeJS.ErrnoException & { hostname?: string };
  return { code: typeof code === 'string' ? code : undefined, message: cause.message, hostname };
}
