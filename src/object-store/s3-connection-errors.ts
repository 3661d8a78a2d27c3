import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { noteConnectionError } from '../outbound/connection-errors.ts';
import { isProgrammingError } from '../session/programming-error.ts';

/**
 * Notes what the SDK's request handler throws, and what breaks the body of an answer, as errors of the connection: they are caught here,
 * next to the socket, where nothing of ours can have thrown. A call that Node refuses before it connects is a mistake of ours.
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
    // Behind all others: nothing but the handler is within.
    { name: 'partwayNoteConnectionErrors', step: 'deserialize', priority: 'low' },
  );
}
