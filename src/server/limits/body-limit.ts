import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MAX_PLAIN_BODY_BYTES, maxBodyBytes, maxPartListBytes, sessionOfPartList } from '../../contract/paths.ts';
import { UploadError } from '../../session/errors.ts';
import { ANY_BODY_TIME, type BodyTime } from './body-time.ts';
import { nestsTooDeep } from './json-depth.ts';
import { createHoldings, type Take } from './quota-counter.ts';

const MiB = 1_024 * 1_024;

export interface BodyLimits {
  /** Bytes of bodies that are on their way at once, in all; 64 MiB unless told. */
  readonly inAll?: number;
  /** Of those under one key, so that one client cannot keep all others waiting; 16 MiB unless told. */
  readonly perKey?: number;
}

export interface BodyOptions {
  readonly limits?: BodyLimits | undefined;
  /** The key of the sender: its token, which stands for all capabilities that came of it. */
  readonly keyOf: (context: Context) => string;
  /** Part count of the session, where the caller may change it. @throws UploadError where it may not. */
  readonly partCountOf: (context: Context, sessionId: string) => Promise<number>;
  /** Called once the body has come. */
  readonly onBody: (context: Context, bytes: number) => Promise<void>;
  /** No limit unless given. */
  readonly time?: BodyTime | undefined;
}

/** The variables that this middleware sets on the context. */
export interface BodyFacts {
  /** To be called as soon as the body was judged: by then, nothing has been waited for since it came. */
  readonly bodyChecked?: (isAccepted: boolean) => void;
}

/** Statuses of requests whose body is wrong. */
const REFUSED: ReadonlySet<number> = new Set([400, 415]);

/**
 * Reads bodies before anything else does, within what the route needs, by the length they announce or as they come. A body counts
 * with all that it may become until it is whole: a client may hold back the last of it for minutes.
 * @throws UploadError `BODY_TOO_LARGE`, `RATE_LIMITED`, and `INVALID_REQUEST` for a body that broke off or nests too deep.
 */
export function receiveBodies({
  limits: { inAll = 64 * MiB, perKey = 16 * MiB } = {},
  keyOf,
  partCountOf,
  onBody,
  time = ANY_BODY_TIME,
}: BodyOptions): MiddlewareHandler<{ Variables: BodyFacts }> {
  const take = createHoldings();

  return async function receiveBody(context, next) {
    if (context.req.method === 'GET' || context.req.method === 'HEAD') return next();
    const key = keyOf(context);
    time.check(key);
    const body = await receive(context);
    if (body === '') return next();
    // Again: other bodies of the key may have come meanwhile.
    time.check(key);
    const bodyChecked = time.begin(key);
    context.set('bodyChecked', bodyChecked);
    if (nestsTooDeep(body)) {
      bodyChecked(false);
      throw new UploadError('INVALID_REQUEST', 'The body nests lists and objects too deep.');
    }
    await next();
    // A body that is no JSON reaches no schema.
    if (REFUSED.has(context.res.status)) bodyChecked(false);
  };

  async function receive(context: Context): Promise<string> {
    const announced = announcedBytes(context);
    const most = await mostBytes(context, announced);
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
      if (announced === undefined) await countBody(most)(context, read);
      else await read();
    } catch (error) {
      if (error instanceof UploadError) throw error;
      // No fault of ours to be logged.
      throw new UploadError('INVALID_REQUEST', 'The body of the request did not come whole.', { cause: error });
    } finally {
      release();
    }
    await onBody(context, body.length);
    return body;
  }

  /** Nearly all reports and completions are small: the session is looked at only for larger ones. */
  async function mostBytes(context: Context, announced: number | undefined): Promise<number> {
    const sessionId = sessionOfPartList(context.req.path);
    if (sessionId === undefined) return maxBodyBytes(context.req.path);
    if (announced !== undefined && announced <= MAX_PLAIN_BODY_BYTES) return MAX_PLAIN_BODY_BYTES;
    return maxPartListBytes(await partCountOf(context, sessionId));
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
