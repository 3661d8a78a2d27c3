/** Matches every code with which OpenSSL and Node refuse the certificate of the other side. */
const REFUSAL =
  /CERT|^UNABLE_TO_|^HOSTNAME_MISMATCH$|^INVALID_(?:CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$|^ERROR_IN_CERT_|^ERR_TLS_CERT/;

export type CertificateProblem = 'time' | 'name' | 'authority';

export function isCertificateRefusal(code: string): boolean {
  return REFUSAL.test(code);
}

/** Returns what is wrong with the certificate. */
export function certificateProblem(code: string): CertificateProblem {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'time';
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH' ? 'name' : 'authority';
}

/** Describes why a certificate is refused: the end of the sentence "its certificate is not trusted: …". */
export function describeRefusedCertificate(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'it has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'it is not valid yet';
  if (certificateProblem(code) === 'name') return 'it is for another name';
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') return 'it is signed by itself';
  if (code === 'CERT_REVOKED') return 'it was revoked';
  return 'no authority that this computer knows stands behind it';
}

/** Returns what to do about a certificate that a partway server refuses; the settings of its host decide. */
export function serverAdviceAbout(code: string): string {
  switch (certificateProblem(code)) {
    case 'time':
      return "Check the clock of the server's machine. If it is right, the certificate must be renewed";
    case 'name':
      return 'Use the name that the certificate is for, or get one for this name';
    case 'authority':
      return "Set NODE_EXTRA_CA_CERTS in the server's environment to the certificate of its authority (a PEM file), and start the server again";
  }
}
