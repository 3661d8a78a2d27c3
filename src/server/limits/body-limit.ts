import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MAX_PLAIN_BODY_BYTES, maxBodyBytes, maxPartListBytes, sessionOfPartList } from '../../contract/paths.ts';
import { UploadError } from '../../session/errors.ts';
import { ANY_BODY_TIME, type BodyTime } from './body-time.ts';
import { nestsTooDeep } from './json-depth.ts';
import { type Acquire, createQuotaCounter, type Quota } from './quota-counter.ts';

const MiB = 1_024 * 1_024;

export interface BodyLimits {
  /** Most bytes of bodies that may be arriving at once, in all; 64 MiB by default. */
  readonly inAll?: number;
  /** Most of these bytes under one key, so that one client cannot keep all others waiting; 16 MiB by default. */
  readonly perKey?: number;
}

export interface BodyOptions {
  readonly limits?: BodyLimits | undefined;
  /** Returns the key of the sender: its token, which stands for all capabilities that it granted. */
  readonly keyOf: (context: Context) => string;
  /** Returns the part count of the session. @throws UploadError where the caller may not change the session. */
  readonly partCountOf: (context: Context, sessionId: string) => Promise<number>;
  /** Called when the body has arrived whole. */
  readonly onBody: (context: Context, bytes: number) => Promise<void>;
  /** Limits the time that bodies take of the server's thread; no limit by default. */
  readonly time?: BodyTime | undefined;
}

/** Variables that this middleware sets on the context. */
export interface BodyFacts {
  /** Must be called as soon as the body has been checked, before anything is awaited: the time since its arrival is charged to its sender. */
  readonly bodyChecked?: (isAccepted: boolean) => void;
}

/** Statuses of answers that refuse a body. */
const REFUSED: ReadonlySet<number> = new Set([400, 415]);

/**
 * Reads each body before anything else does, up to the size that its route needs, by the length that it announces or as it arrives. Until it
 * is whole, a body counts with the most that it may become: a client may hold back the last bytes for minutes.
 * @throws UploadError `BODY_TOO_LARGE`, `RATE_LIMITED`, and `INVALID_REQUEST` for a body that broke off or nests too deep.
 */
export function receiveBodies({
  limits: { inAll = 64 * MiB, perKey = 16 * MiB } = {},
  keyOf,
  partCountOf,
  onBody,
  time = ANY_BODY_TIME,
}: BodyOptions): MiddlewareHandler<{ Variables: BodyFacts }> {
  const acquire = createQuotaCounter();

  return async function receiveBody(context, next) {
    if (context.req.method === 'GET' || context.req.method === 'HEAD') return next();
    const key = keyOf(context);
    time.check(key);
    const body = await receive(context);
    if (body === '') return next();
    // Again: other bodies of the key may have arrived meanwhile.
    time.check(key);
    const bodyChecked = time.begin(key);
    context.set('bodyChecked', bodyChecked);
    if (nestsTooDeep(body)) {
      bodyChecked(false);
      throw new UploadError('INVALID_REQUEST', 'The body nests lists and objects too deep.');
    }
    await next();
    // A body that is not JSON reaches no schema.
    if (REFUSED.has(context.res.status)) bodyChecked(false);
  };

  async function receive(context: Context): Promise<string> {
    const announced = announcedBytes(context);
    const most = await mostBytes(context, announced);
    if (announced !== undefined && announced > most) throw tooLarge(most);
    const release = reserve(acquire, announced ?? most, [
      { key: 'all', most: inAll },
      { key: `of ${keyOf(context)}`, most: perKey },
    ]);
    let body = '';
    const read = async () => {
      body = await context.req.text();
    };
    try {
      // Counting turns the body into streams, which takes longer than everything else that is done with it.
      if (announced === undefined) await countBody(most)(context, read);
      else await read();
    } catch (error) {
      if (error instanceof UploadError) throw error;
      // The connection broke, so this is not a failure of the server to be logged.
      throw new UploadError('INVALID_REQUEST', 'The body of the request did not come whole.', { cause: error });
    } finally {
      release();
    }
    await onBody(context, body.length);
    return body;
  }

  /** Nearly all reports and completions are small, so the session is looked up only for larger ones. */
  async function mostBytes(context: Context, announced: number | undefined): Promise<number> {
    const sessionId = sessionOfPartList(context.req.path);
    if (sessionId === undefined) return maxBodyBytes(context.req.path);
    if (announced !== undefined && announced <= MAX_PLAIN_BODY_BYTES) return MAX_PLAIN_BODY_BYTES;
    return maxPartListBytes(await partCountOf(context, sessionId));
  }
}

function reserve(acquire: Acquire, bytes: number, quotas: readonly Quota[]): () => void {
  const release = acquire(quotas, bytes);
  if (release !== undefined) return release;
  throw new UploadError(
    'RATE_LIMITED',
    'Too many bytes of request bodies are arriving at once, from this token or from all clients.',
    {
      hint: 'Wait until the requests in progress have been sent whole, or send them one after another.',
    },
  );
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

/** Returns the announced length: Node's parser reads so much and no more. Undefined for a body in chunks, or none at all (RFC 9112, section 6.3). */
function announcedBytes({ req }: Context): number | undefined {
  const length = req.header('transfer-encoding') === undefined ? req.header('content-length') : undefined;
  return length === undefined ? undefined : Number(length);
}
