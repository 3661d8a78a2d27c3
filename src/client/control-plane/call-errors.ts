import { readS3Error } from '../../outbound/s3-error.ts';
import { UploadError } from '../../session/errors.ts';
import type { LinkFailure } from '../network/link-failure.ts';
import { overTls } from '../network/tls-probe.ts';
import type { InvalidAnswer } from './answers/read.ts';

/** The errors of calls that were not answered by a partway server, or not as it may answer. */

export interface Answer {
  readonly status: number;
  readonly mediaType: string;
  readonly date: string | null;
  readonly text: string;
}

/** A proxy or another program answered in the server's place. */
export function foreignAnswer(server: string, answer: Answer): UploadError {
  const httpStatus = answer.status;
  if (readS3Error(answer.text).code !== undefined)
    return unreachable(server, `an object store answered there (HTTP ${httpStatus}), not a partway server`, {
      facts: { httpStatus },
      hint: 'Set PARTWAY_SERVER to the address of `partway serve`; the server tells by itself where the store is.',
    });
  const what =
    httpStatus === 407
      ? 'a proxy on the way wants a name and a password, or other ones (HTTP 407)'
      : `something there answered HTTP ${httpStatus} without being a partway server`;
  return unreachable(server, what, { facts: { httpStatus } });
}

/** Advice where the server speaks TLS and its address begins with `http:`. */
export function overTlsAdvice(server: string, cause: LinkFailure): { cause: unknown; hint: string } {
  const path = new URL(server).pathname.replace(/\/+$/, '');
  return { cause, hint: `Type: export PARTWAY_SERVER=${overTls(server)}${path}   Then run the same command again.` };
}

/** Waiting does not help: the same question would get the same answer. */
export function invalidAnswer(server: string, cause: InvalidAnswer): UploadError {
  return new UploadError('INVALID_ANSWER', `The partway server at ${server} gave an answer that cannot be: ${cause.message}.`, {
    cause,
  });
}

export function unreachable(
  server: string,
  reason: string,
  { hint, facts, ...options }: { cause?: unknown; hint?: string | undefined; facts?: { httpStatus: number } } = {},
): UploadError {
  return new UploadError('SERVER_UNREACHABLE', `The partway server at ${server} cannot be reached: ${reason}.`, {
    ...options,
    hint: hint ?? 'Check that PARTWAY_SERVER names it and that `partway serve` runs there.',
    facts: { reason, ...facts },
  });
}
