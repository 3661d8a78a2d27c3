import { describeRefusedCertificate, isCertificateRefusal } from './certificate-refusal.ts';
import { ProxyFailure } from './proxy-failure.ts';

const noted = new WeakSet<Error>();

/**
 * Notes that a connection failed, and not the program. Called where a socket, TLS, the HTTP parser or a look-up of a name reports, whatever
 * the error's class or code: VPNs, firewalls and damaged records come up with ever new ones. The error itself stays as it is, since the
 * code between there and its reader may branch on it.
 */
export function noteConnectionError<Reported>(error: Reported): Reported {
  if (error instanceof Error) noted.add(error);
  return error;
}

export function isConnectionError(error: unknown): boolean {
  return error instanceof Error && noted.has(error);
}

/** The code by which the certificate of the other side was refused. */
export function refusedCertificate(error: Error): string | undefined {
  const code = codeOf(error);
  return code !== undefined && isCertificateRefusal(code) ? code : undefined;
}

/** The reason in words where a person can do something about it; undefined where only the error itself says more. */
export function explainConnectionError(error: Error): string | undefined {
  if (error instanceof ProxyFailure) return error.message;
  const code = refusedCertificate(error);
  return code && `its certificate is not trusted: ${describeRefusedCertificate(code)} (${code})`;
}

export function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}
