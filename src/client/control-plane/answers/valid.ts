import { UploadError } from '../../../session/errors.ts';
import { InvalidAnswer } from './read.ts';

/** Runs a check of an answer. @throws UploadError `INVALID_ANSWER` where it finds a fault. */
export function valid<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof InvalidAnswer)) throw cause;
    throw new UploadError('INVALID_ANSWER', `The partway server gave an answer that cannot be: ${cause.message}.`, { cause });
  }
}
