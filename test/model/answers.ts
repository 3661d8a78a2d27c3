import { PROBLEM_MEDIA_TYPE, PROBLEMS } from '../../src/contract/problems.ts';
import type { ErrorCode, ServiceErrorCode } from '../../src/session/errors.ts';
import { type CannedAnswer, S3_ANSWERS } from '../support/proxies/faults.ts';

interface Possible {
  readonly answer: CannedAnswer;
  /** The code with which a client may give up after it got this answer `times` times for the same part or call. */
  readonly mayEnd?: { readonly code: ErrorCode; readonly times: number };
}

const page = (status: number): CannedAnswer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: `<h1>${status}</h1>`,
  when: 'at once',
});
const passes = (answer: CannedAnswer): Possible => ({ answer });
const ends = (answer: CannedAnswer, code: ErrorCode, times = 1): Possible => ({ answer, mayEnd: { code, times } });
/** After any 403, the client tries one new URL. */
const refusesUrl = (answer: CannedAnswer) => ends(answer, 'PART_REFUSED', 2);
const refuses = (answer: CannedAnswer) => ends(answer, 'PART_REFUSED');
/** The number of tries of the least patient strategy. */
const fails = (answer: CannedAnswer) => ends(answer, 'PART_FAILED', 3);

/** Answers to the PUT of a part, instead of the store's. */
const partAnswers = {
  expired: refusesUrl(S3_ANSWERS.expired),
  wrongSignature: refusesUrl(S3_ANSWERS.wrongSignature),
  invalidArgument: refuses(S3_ANSWERS.invalidArgument),
  unauthorized: refuses(page(401)),
  notFound: refuses(page(404)),
  lengthRequired: refuses(page(411)),
  tooLarge: refuses(page(413)),
  redirected: refuses(page(307)),
  noSuchUpload: passes(S3_ANSWERS.noSuchUpload),
  checksumMismatch: ends(S3_ANSWERS.checksumMismatch, 'SOURCE_CHANGED', 2),
  timedOut: fails(page(408)),
  tooManyRequests: passes(S3_ANSWERS.tooManyRequests),
  clientClosed: passes(page(499)),
  internalError: fails(S3_ANSWERS.internalError),
  notImplemented: fails(page(501)),
  badGateway: passes(page(502)),
  slowDown: passes(S3_ANSWERS.slowDown),
  starting: passes(S3_ANSWERS.starting),
  gatewayTimeout: passes(page(504)),
  full: ends(S3_ANSWERS.full, 'STORE_FULL'),
  okWithoutEtag: fails(page(200)),
};
export type PartAnswer = keyof typeof partAnswers;
export const PART_ANSWERS: Readonly<Record<PartAnswer, Possible>> = partAnswers;

const problem = (code: ServiceErrorCode): CannedAnswer => ({
  status: PROBLEMS[code].status,
  headers: { 'content-type': PROBLEM_MEDIA_TYPE },
  body: JSON.stringify({
    type: '/problems/x',
    title: 'x',
    status: PROBLEMS[code].status,
    detail: 'injected',
    instance: 'x',
    code,
  }),
  when: 'body read',
});

/** Answers to a call, instead of the control plane's. */
const callAnswers = {
  // An answer that is not one of our problem documents does not come from our server.
  forbiddenByProxy: passes(page(403)),
  loginPage: passes({ ...page(200), when: 'body read' }),
  badGateway: passes(page(502)),
  gatewayTimeout: passes(page(504)),
  storeUnavailable: passes(problem('STORE_UNAVAILABLE')),
  sessionBusy: passes(problem('SESSION_BUSY')),
  unauthorized: ends(problem('UNAUTHORIZED'), 'UNAUTHORIZED'),
  internal: ends(problem('INTERNAL'), 'INTERNAL', 3),
};
export type CallAnswer = keyof typeof callAnswers;
export const CALL_ANSWERS: Readonly<Record<CallAnswer, Possible>> = callAnswers;
