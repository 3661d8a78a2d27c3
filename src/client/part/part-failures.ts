import { UploadError } from '../../session/errors.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { describeAnswer, isRefusedOnTheWay, type PartAnswer } from './part-answer.ts';
import { ConnectionFailure } from './put-part.ts';

/** The ways in which an attempt at a part can fail: the errors with a class lead to another attempt or round, the UploadErrors below end the upload. */

/** The store no longer knows the multipart upload: this concerns the session, not the part. */
export class UploadLost extends Error {
  override readonly name = 'UploadLost';
}

/** A part failed over a working link: only such failures count as tries. */
export class PartFailure extends Error {
  override readonly name = 'PartFailure';
}

/** The store asks to be asked later. */
export class StoreBusy extends Error {
  override readonly name = 'StoreBusy';
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, retryAfterSeconds: number | undefined) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Something between the client and the store answered, or changed the store's answer. The store may have the part. */
export class AnsweredOnTheWay extends Error {
  override readonly name = 'AnsweredOnTheWay';
  readonly retryAfterSeconds: number | undefined;
  constructor(said: string, retryAfterSeconds?: number) {
    super(`something between here and the object store answered: ${said}`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The store no longer accepts the URL; it may accept a new one. */
export class UrlRefused extends Error {
  override readonly name = 'UrlRefused';
}

/** Whether the next attempt may go well. */
export function isTransient(error: Error): boolean {
  return (
    error instanceof ConnectionFailure ||
    error instanceof AnsweredOnTheWay ||
    error instanceof PartFailure ||
    error instanceof StoreBusy ||
    error instanceof UrlRefused
  );
}

export function changedWhileSending(source: ByteSource): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} changed while it was being sent: its bytes differ from those read just before.`,
    {
      hint: 'The stored parts are kept. Let the file settle, then upload it under another key or abort the session first.',
    },
  );
}

export function triesUsedUp(partNumber: number, tries: number, last: PartFailure): UploadError {
  return new UploadError('PART_FAILED', `Part ${partNumber} failed ${tries} times; the object store answered ${last.message}`, {
    cause: last,
    hint: 'The stored parts are kept: resume later. If it goes on, the object store has a problem that its log explains.',
  });
}

/** @param partSize Bytes of the part that was refused. */
export function refusedPart(answer: PartAnswer, partSize: number): UploadError {
  const said = describeAnswer(answer);
  if (!isRefusedOnTheWay(answer))
    return new UploadError('PART_REFUSED', `The object store refuses the part: ${said}`, {
      hint: 'Run `partway doctor`: it finds out whether the public endpoint, the clock or a right is wrong.',
    });
  return new UploadError('PART_REFUSED', `Something between here and the object store refuses the part: ${said}`, {
    hint: `${adviceOnTheWay(answer.status)} To see it: partway doctor --size ${partSize}`,
    facts: { answeredBy: 'proxy', status: answer.status },
  });
}

/** Advice about a refusal that is not the store's. */
export function adviceOnTheWay(status: number): string {
  switch (status) {
    case 407:
      return 'A proxy on the way wants a login. Use a network without it, or have the object store reached around it.';
    case 413:
      return 'Whoever runs that proxy must allow larger request bodies (nginx: client_max_body_size).';
    case 401:
    case 403:
      return 'A proxy or firewall on the way forbids it: whoever runs it must allow PUT to the object store.';
    default:
      return 'The answer has no error of S3 in it: check PARTWAY_S3_PUBLIC_ENDPOINT, and the proxies between here and the store.';
  }
}

export function storeFull(said: string): UploadError {
  return new UploadError('STORE_FULL', `The object store has no space left: ${said}`, {
    hint: 'The stored parts are kept. Free space there (MinIO gives it back within 5 minutes), then resume.',
  });
}
