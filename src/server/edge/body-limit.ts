import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { UploadError } from '../../session/errors.ts';

/** Refuses bodies of more bytes, by the length they announce or as they come. */
export function limitBody(maxSize: number): MiddlewareHandler {
  const limit = bodyLimit({
    maxSize,
    onError: () => {
      throw new UploadError('BODY_TOO_LARGE', `A request body can have at most ${maxSize} bytes.`);
    },
  });
  return async function readBody(context, next) {
    try {
      return await limit(context, next);
    } catch (error) {
      if (error instanceof UploadError) throw error;
      // Faults of what comes after are answered there (Hono): this is a body that broke off, and no fault of ours to be logged.
      throw new UploadError('INVALID_REQUEST', 'The body of the request did not come whole.', { cause: error });
    }
  };
}
