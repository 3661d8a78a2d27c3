import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { noteConnectionError } from '../outbound/connection-errors.ts';
import { isProgrammingError } from '../session/errors.ts';

/**
 * Notes errors of the SDK's request handler, and those that break the body of an answer, as errors of the connection. They are caught here,
 * next to the socket, where none of our code can have thrown them. A call that Node refuses before it connects is a bug of ours.
 */
export function noteConnectionErrors(stack: S3Client['middlewareStack']): void {
  stack.add(
    (next) => async (request) => {
      try {
        const result = await next(request);
        const { body } = result.response as { body?: Partial<Readable> };
        body?.on?.('error', noteConnectionError);
        return result;
      } catch (error) {
        if (!isProgrammingError(error)) noteConnectionError(error);
        throw error;
      }
    },
    // Added last, so that it wraps only the handler.
    { name: 'partwayNoteConnectionErrors', step: 'deserialize', priority: 'low' },
  );
}
