/** A way in which the fault proxy mishandles a request instead of forwarding it. */
export type Fault =
  /** The proxy answers, and the request never reaches the server. */
  | { readonly kind: 'answer'; readonly answer: CannedAnswer }
  /** The connection ends once this many bytes of the body have arrived and been forwarded. */
  | { readonly kind: 'cut'; readonly afterBytes: number; readonly how: 'reset' | 'close' }
  /** No more of the body is read, and nothing else happens, until the gate opens. */
  | { readonly kind: 'stall'; readonly afterBytes: number; readonly gate: Gate }
  /** The server gets the whole request and answers; the client gets a reset instead of the answer. */
  | { readonly kind: 'lose-answer' }
  /** The answer waits until the gate opens. */
  | { readonly kind: 'hold-answer'; readonly gate: Gate };

export interface CannedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the answer is sent after the body is read, or before. */
  readonly when: 'body read' | 'at once';
}

/** Closed until it is opened; then it stays open. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function aGate(): Gate {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

export const answers = (answer: CannedAnswer): Fault => ({ kind: 'answer', answer });
export const losesAnswer: Fault = { kind: 'lose-answer' };
export const resetsAfter = (afterBytes: number): Fault => ({ kind: 'cut', afterBytes, how: 'reset' });
export const closesAfter = (afterBytes: number): Fault => ({ kind: 'cut', afterBytes, how: 'close' });
export const stallsAfter = (afterBytes: number, gate: Gate): Fault => ({ kind: 'stall', afterBytes, gate });
export const holdsAnswer = (gate: Gate): Fault => ({ kind: 'hold-answer', gate });

function s3(
  status: number,
  code: string,
  message: string,
  { when = 'at once', headers = {} }: { when?: CannedAnswer['when']; headers?: Record<string, string> } = {},
): CannedAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><Resource>/b/k</Resource></Error>`;
  return { status, headers: { 'content-type': 'application/xml', ...headers }, body, when };
}

/** Answers of object stores, worded as MinIO words them. */
export const S3_ANSWERS = {
  expired: s3(403, 'AccessDenied', 'Request has expired'),
  wrongSignature: s3(
    403,
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided.',
  ),
  invalidArgument: s3(400, 'InvalidArgument', 'Invalid Argument'),
  tooManyRequests: s3(429, 'TooManyRequests', 'Please reduce your request rate', { headers: { 'retry-after': '2' } }),
  internalError: s3(500, 'InternalError', 'We encountered an internal error, please try again.', { when: 'body read' }),
  slowDown: s3(503, 'SlowDown', 'Resource requested is unreadable, please reduce your request rate'),
  starting: s3(503, 'XMinioServerNotInitialized', 'Server not initialized yet, please try again.'),
  full: s3(507, 'XMinioStorageFull', 'Storage backend has reached its minimum free drive threshold.'),
  noSuchUpload: s3(404, 'NoSuchUpload', 'The specified multipart upload does not exist.', { when: 'body read' }),
  checksumMismatch: s3(400, 'XAmzContentChecksumMismatch', 'The provided checksum does not match what was computed.', {
    when: 'body read',
  }),
} as const satisfies Record<string, CannedAnswer>;
