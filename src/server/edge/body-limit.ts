import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MAX_BODY_BYTES, MAX_PLAIN_BODY_BYTES, maxBodyBytes } from '../../contract/paths.ts';
import { UploadError } from '../../session/errors.ts';
import { createHoldings, type Take } from './holdings.ts';

const MiB = 1_024 * 1_024;

export interface BodyLimits {
  /** Bytes of bodies that are on their way at once, in all; 64 MiB unless told. */
  readonly inAll?: number;
  /** Of those under one key, so that one client cannot keep all others waiting; 16 MiB unless told. */
  readonly perKey?: number;
}

export interface BodyOptions {
  readonly limits?: BodyLimits | undefined;
  /** Who sends it: a token with all its capabilities. */
  readonly keyOf: (context: Context) => string;
  /** Told once the body has come. */
  readonly onBody: (context: Context, bytes: number) => Promise<void>;
}

/**
 * Reads bodies before anybody else does, within what the route takes, by the length they announce or as they come. A body counts
 * with all that it may become until it is whole: a client may hold back the last of it for minutes.
 * @throws UploadError `BODY_TOO_LARGE`, `RATE_LIMITED`, and `INVALID_REQUEST` for a body that broke off.
 */
export function receiveBodies({
  limits: { inAll = 64 * MiB, perKey = 16 * MiB } = {},
  keyOf,
  onBody,
}: BodyOptions): MiddlewareHandler {
  const take = createHoldings();
  const counting = new Map([MAX_PLAIN_BODY_BYTES, MAX_BODY_BYTES].map((bytes) => [bytes, countBody(bytes)]));

  return async function receiveBody(context, next) {
    if (context.req.method !== 'GET' && context.req.method !== 'HEAD') await receive(context);
    await next();
  };

  async function receive(context: Context): Promise<void> {
    const most = maxBodyBytes(context.req.path);
    const announced = announcedBytes(context);
    if (announced !== undefined && announced > most) throw tooLarge(most);
    const release = reserve(take, announced ?? most, [
      { key: 'all', most: inAll },
      { key: `of ${keyOf(context)}`, most: perKey },
    ]);
    let body = '';
    const read = async () => {
      body = await context.req.text();
    };
    try {
      // Counting makes streams of the body, which takes longer than all else that is done with it.
      if (announced === undefined) await counting.get(most)?.(context, read);
      else await read();
    } catch (error) {
      if (error instanceof UploadError) throw error;
      // No fault of ours to be logged.
      throw new UploadError('INVALID_REQUEST', 'The body of the request did not come whole.', { cause: error });
    } finally {
      release();
    }
    await onBody(context, body.length);
  }
}

function reserve(take: Take, bytes: number, claims: Parameters<Take>[0]): () => void {
  const release = take(claims, bytes);
  if (release !== undefined) return release;
  throw new UploadError('RATE_LIMITED', 'Too many request bodies are on their way at once, of this token or in all.', {
    hint: 'Wait until those that were begun have come whole, or send them one after the other.',
  });
}

function countBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw tooLarge(maxSize);
    },
  });
}

function tooLarge(maxBodyBytes: number): UploadError {
  return new UploadError('BODY_TOO_LARGE', `The body of this request can have at most ${maxBodyBytes} bytes.`, {
    facts: { maxBodyBytes },
  });
}

/** Node's parser reads as much and no more. `undefined`: it comes in chunks, or there is none (RFC 9112, section 6.3). */
function announcedBytes({ req }: Context): number | undefined {
  const length = req.header('transfer-encoding') === undefined ? req.header('content-length') : undefined;
  return length === undefined ? undefined : Number(length);
}
