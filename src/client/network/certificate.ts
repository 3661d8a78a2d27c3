import { certificateProblem, describeRefusedCertificate } from '../../outbound/certificate-refusal.ts';
import { UploadError } from '../../session/errors.ts';
import { type LinkFailure, linkFailureIn } from './link-failure.ts';

/** Finds the refusal of a certificate that an error is, or was caused by. */
export function untrustedIn(error: unknown): LinkFailure | undefined {
  const failure = linkFailureIn(error);
  return failure?.trouble === 'certificate' ? failure : undefined;
}

/**
 * The error that ends an upload which would otherwise wait for a certificate to change. Only for a host that has not answered before:
 * if a host that has answered now shows another certificate, something on the way hides it for a while.
 * @param end For people, for example `the object store`.
 */
export function certificateNotTrusted(end: string, failure: LinkFailure): UploadError {
  const code = failure.code ?? '';
  return new UploadError(
    'CERTIFICATE_NOT_TRUSTED',
    `This computer does not trust the certificate of ${end}: ${describeRefusedCertificate(code)} (${code}).`,
    {
      cause: failure,
      hint: adviceAbout(code),
      facts: { reason: failure.message, certificateError: code },
    },
  );
}

/** Advice about a certificate that is refused with this code. */
export function adviceAbout(code: string): string {
  const problem = certificateProblem(code);
  if (problem === 'time')
    return 'Check the clock of this computer. If it is right, whoever runs the server must renew the certificate; then run the command again.';
  if (problem === 'name')
    return 'Use the name that the certificate is for, or have whoever runs the server get one for this name. If neither name is right, something on the way answered in its place.';
  return 'If that server is yours, ask whoever runs it for the certificate of its authority (a PEM file), and then: export NODE_EXTRA_CA_CERTS=/path/to/ca.pem   If it is not, a sign-in page or a proxy on the way answered in its place: sign in, or use another network.';
}
