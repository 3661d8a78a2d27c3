import type { UploadError } from '../../session/errors.ts';
import { describeAnswer, judgeAnswer, type PartAnswer } from './part-answer.ts';
import { AnsweredOnTheWay, PartFailure, refusedPart, StoreBusy, storeFull, UploadLost, UrlRefused } from './part-failures.ts';

/** Counts of the earlier answers to the same part. */
export interface AnswerHistory {
  /** In a row. */
  refusedUrls: number;
  bytesDiffered: number;
}

export interface AnsweredPart {
  /** Bytes. */
  readonly size: number;
  /** The CRC32 that was signed. `sentChecksum` is that of the bytes that were handed over. */
  readonly signedChecksum: string;
  readonly sentChecksum: string;
  readonly changed: () => UploadError;
  readonly tooLarge: (answer: PartAnswer) => Error;
}

/** Returns the ETag of a stored part. @throws the failure of the attempt otherwise */
export function etagFrom(answer: PartAnswer, history: AnswerHistory, part: AnsweredPart): string {
  const verdict = judgeAnswer(answer);
  const said = describeAnswer(answer);
  if (verdict.kind !== 'sign-again') history.refusedUrls = 0;
  switch (verdict.kind) {
    case 'stored':
      // The store has checked the signed checksum; this catches stores that do not.
      if (part.sentChecksum !== part.signedChecksum) throw part.changed();
      return verdict.etag;
    case 'sign-again':
      history.refusedUrls += 1;
      // A fresh URL is refused as well, so age is not the reason.
      if (history.refusedUrls > 1) throw refusedPart(answer, part.size);
      throw new UrlRefused(said);
    case 'busy':
      throw new StoreBusy(said, verdict.retryAfterSeconds);
    case 'upload-lost':
      throw new UploadLost(said);
    case 'bytes-differ':
      history.bytesDiffered += 1;
      if (history.bytesDiffered > 1) throw part.changed();
      throw new PartFailure(said);
    case 'not-the-store':
      throw new AnsweredOnTheWay(said, verdict.retryAfterSeconds);
    case 'too-large':
      throw part.tooLarge(answer);
    case 'failed':
      throw new PartFailure(said);
    case 'store-full':
      throw storeFull(said);
    case 'refused':
      throw refusedPart(answer, part.size);
  }
}
