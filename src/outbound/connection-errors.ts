import { describeRefusedCertificate, isCertificateRefusal } from './certificate-refusal.ts';
import { ProxyFailure } from './proxy-failure.ts';

const noted = new WeakSet<Error>();

/**
 * Notes that a connection failed, and not the program. Called wherever a socket, TLS, the HTTP parser or a name look-up reports an error,
 * whatever its class or code: VPNs, firewalls and damaged records keep producing new ones. The error itself does not change, because
 * code on its way may branch on it.
 */
export function noteConnectionError<Reported>(error: Reported): Reported {
  if (error instanceof Error) noted.add(error);
  return error;
}

export function isConnectionError(error: unknown): boolean {
  return error instanceof Error && noted.has(error);
}

/** Returns the code with which the certificate of the other side was refused, if it was. */
export function refusedCertificate(error: Error): string | undefined {
  const code = codeOf(error);
  return code !== undefined && isCertificateRefusal(code) ? code : undefined;
}

/** Describes the reason if a person can do something about it; otherwise undefined, and only the error's own text tells more. */
export function explainConnectionError(error: Error): string | undefined {
  if (error instanceof ProxyFailure) return error.message;
  const code = refusedCertificate(error);
  return code && `its certificate is not trusted: ${describeRefusedCertificate(code)} (${code})`;
}

export function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}
