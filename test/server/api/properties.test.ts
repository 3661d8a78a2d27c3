import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from '../../../src/contract/problems.ts';
import * as routes from '../../../src/contract/routes.ts';
import { problem as problemSchema } from '../../../src/contract/schemas.ts';
import type { Session } from '../../../src/contract/wire.ts';
import { STATUSES } from '../../../src/session/machine.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { STRATEGIES } from '../../../src/session/strategy.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { ControlPlaneBench } from '../../support/server/control-plane.ts';

const FILE = Buffer.alloc(5, 'x');
const ETAG = `"${createHash('md5').update(FILE).digest('hex')}"`;

/** Mostly valid for the schema, sometimes at its limits or beyond, now and then of another type. */
function mostly<T, Odd = never>(usual: fc.Arbitrary<T>, ...odd: readonly Odd[]) {
  const atTheLimits = odd.length === 0 ? [] : [{ weight: 3, arbitrary: fc.constantFrom(...odd) }];
  return fc.oneof({ weight: 20, arbitrary: usual }, ...atTheLimits, { weight: 1, arbitrary: fc.jsonValue() });
}
const flag = fc.boolean();
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
const fileName = mostly(fc.constantFrom('a', 'b'), '', '..', 'a//b', 'ü', 'x'.repeat(1_025), '\u0000', '\ud800');
const size = mostly(fc.constantFrom(0, FILE.length), -1, 0.5, 11 * MiB, 5 * 1024 ** 4, 5 * 1024 ** 4 + 1, 2 ** 53);
const partSize = mostly(fc.constant(5 * MiB), 0, 5 * MiB - 1, 5 * MiB + 1, 5 * 1024 ** 3, 2 ** 53 - 1);
const contentType = mostly(fc.constant('video/mp4'), 'a/b; c="d"', 'nonsense', 'a/b\r\nx: y');
const metadata = mostly(fc.dictionary(fc.constantFrom('a', 'b-c'), anyText), { ä: 'b' }, { a: 'x'.repeat(1_001) });
const partNumber = mostly(fc.constant(1), 2, 0, 1.5, 10_000, 10_001);
const checksum = mostly(fc.constant(checksumOf(FILE)), 'AAAAAA==', 'AAAA');
const etag = mostly(fc.constantFrom(ETAG, ETAG.replaceAll('"', '')), '"other"', '', 'x'.repeat(201));
const parts = mostly(fc.array(fc.record({ partNumber, etag }), { maxLength: 3 }), [{}]);

const optional = (...requiredKeys: string[]) => ({ requiredKeys: requiredKeys as never[] });
const createBody = fc.record(
  { fileName, size, overwrite: flag, fingerprint: fc.constantFrom('f', 'g') },
  optional('fileName', 'size'),
);
const elaborateCreateBody = fc.record(
  { fileName, size, key: mostly(anyText), contentType, metadata, strategy: fc.constantFrom(...STRATEGIES), partSize, more: flag },
  optional('fileName', 'size'),
);
const presignBody = fc.record(
  {
    partNumbers: mostly(fc.array(partNumber, { maxLength: 3 })),
    checksums: mostly(fc.record({ 1: checksum }), { 0: 'AAAAAA==' }),
  },
  optional('partNumbers'),
);
const reportBody = fc.record(
  {
    clientId: mostly(fc.constantFrom('c', 'd'), ''),
    parts,
    inFlightBytes: size,
    bytesPerSecond: mostly(fc.double({ min: 0 }), -1),
  },
  optional('clientId'),
);
const completeBody = fc.record({ checksum, parts }, optional());
const listQuery = fc
  .record(
    {
      status: mostly(fc.constantFrom(...STATUSES)),
      limit: mostly(fc.integer({ min: 1, max: 3 }), 0, 201),
      cursor: mostly(anyText),
    },
    optional(),
  )
  .map((fields) =>
    Object.entries(fields)
      .map(([name, value]) => `${name}=${encodeURIComponent(String(value).toWellFormed())}`)
      .join('&'),
  );

/** A plain object: its members may be looked up by name. */
const OPERATIONS = { ...routes };

interface Request {
  readonly operation: keyof typeof OPERATIONS;
  readonly body?: unknown;
  readonly query?: string;
  /** Chooses one of the sessions made so far, or an unknown id. */
  readonly session: number | string;
  readonly idempotencyKey?: string | undefined;
  /** The client puts the part of the session before it asks. */
  readonly put: boolean;
}

const requestTo = (operation: Request['operation'], body: fc.Arbitrary<unknown>, query: fc.Arbitrary<string> = fc.constant('')) =>
  fc.record({
    operation: fc.constant(operation),
    // Text is sent as it is, and is then mostly not JSON.
    body: fc.oneof(
      { weight: 20, arbitrary: body },
      { weight: 1, arbitrary: fc.jsonValue() },
      { weight: 1, arbitrary: fc.string() },
    ),
    query,
    session: fc.oneof({ weight: 20, arbitrary: fc.nat({ max: 2 }) }, { weight: 1, arbitrary: anyText }),
    idempotencyKey: fc.option(fc.constantFrom('k', 'l', 'not valid'), { nil: undefined, freq: 2 }),
    put: flag,
  });
const nothing = fc.constant(undefined);
const anyRequest: fc.Arbitrary<Request> = fc.oneof(
  { weight: 2, arbitrary: requestTo('createUpload', createBody) },
  { weight: 1, arbitrary: requestTo('createUpload', elaborateCreateBody) },
  { weight: 1, arbitrary: requestTo('listUploads', nothing, listQuery) },
  { weight: 1, arbitrary: requestTo('getUpload', nothing) },
  { weight: 1, arbitrary: requestTo('abortUpload', nothing) },
  { weight: 3, arbitrary: requestTo('presignParts', presignBody) },
  { weight: 2, arbitrary: requestTo('listParts', nothing) },
  { weight: 3, arbitrary: requestTo('reportProgress', reportBody) },
  { weight: 3, arbitrary: requestTo('completeUpload', completeBody) },
  { weight: 1, arbitrary: requestTo('getObject', nothing) },
  { weight: 1, arbitrary: requestTo('getProgress', nothing) },
  { weight: 1, arbitrary: requestTo('getProgressByUploadId', nothing) },
);

/** A control plane, and the sessions that were made on it. */
class Target {
  readonly bench = new ControlPlaneBench();
  readonly #sessionIds: string[] = [];

  async send({ operation, body, query: search, session, idempotencyKey, put }: Request): Promise<Response> {
    const sessionId = typeof session === 'string' ? session : String(this.#sessionIds[session % this.#sessionIds.length]);
    const route = OPERATIONS[operation];
    if (put) await this.#putPart(sessionId);
    const path = route.path.replace(/\{\w+\}/, () => encodeURIComponent(sessionId.toWellFormed()));
    const hasBody = route.method === 'post' && body !== undefined;
    const response = await this.bench.send(route.method.toUpperCase(), search ? `${path}?${search}` : path, {
      ...(hasBody ? { body } : {}),
      headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
    });
    if (response.status === 201) this.#sessionIds.push(((await response.clone().json()) as Session).sessionId);
    return response;
  }

  async #putPart(sessionId: string): Promise<void> {
    const session = await this.bench.sessions.get(sessionId);
    if (session?.status !== 'open' || session.size > FILE.length) return;
    this.bench.objects.putPart(session.key, String(session.uploadId), 1, FILE.subarray(0, session.size));
  }
}

async function checkProblem(response: Response): Promise<void> {
  expect(response.status).toBeLessThan(500);
  expect(response.headers.get('content-type')).toBe(PROBLEM_MEDIA_TYPE);
  const problem = problemSchema.parse(await response.json());
  expect(problem.status).toBe(response.status);
  expect(PROBLEMS[problem.code].status).toBe(response.status);
}

/** The schema that /openapi.json shows for this answer. */
async function checkAnswer({ operation }: Request, response: Response): Promise<void> {
  const described = (OPERATIONS[operation].responses as Record<number, unknown>)[
    response.status
  ] as (typeof routes.getUpload.responses)[200];
  described.content['application/json'].schema.parse(await response.json());
}

describe('any sequence of requests', () => {
  it('each is answered as described, or refused with a listed problem: never with a server error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRequest, { minLength: 1, maxLength: 12 }), async (requests) => {
        const target = new Target();
        await target.send({ operation: 'createUpload', body: { fileName: 'a', size: FILE.length }, session: 0, put: false });
        onTestFinished(() => target.bench.sessions.close());
        for (const request of requests) {
          const response = await target.send(request);
          if (response.ok) await checkAnswer(request, response);
          else await checkProblem(response);
        }
      }),
      { numRuns: 300 },
    );
  });
});
