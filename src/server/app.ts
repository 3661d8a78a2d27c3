import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { requestId } from 'hono/request-id';
import { routePath } from 'hono/route';
import { PATHS } from '../contract/paths.ts';
import { PROBLEMS, type Problem, problemType } from '../contract/problems.ts';
import * as routes from '../contract/routes.ts';
import type * as wire from '../contract/wire.ts';
import type { Grant } from '../session/access.ts';
import { SERVICE_ERROR_CODES, UploadError } from '../session/errors.ts';
import { type Credentials, credentialsIn } from './access/auth.ts';
import type { Caller } from './access/caller.ts';
import { capabilityIn, pathWithoutTokens } from './access/capability-path.ts';
import type { Audit } from './audit/event.ts';
import { type RequestFacts, refusalOf } from './audit/refusal.ts';
import type { Log } from './core/deps.ts';
import { logOfRequest } from './core/request-log.ts';
import { createSharedFlight } from './core/single-flight.ts';
import { STOPPING } from './health/readiness.ts';
import { allowOrigins } from './http/cors.ts';
import { invalidRequest } from './http/invalid-request.ts';
import { problemResponse } from './http/problem-response.ts';
import { streamProgress } from './http/progress-stream.ts';
import { setSecurityHeaders } from './http/security-headers.ts';
import { type BodyFacts, type BodyLimits, receiveBodies } from './limits/body-limit.ts';
import type { BodyTime } from './limits/body-time.ts';
import type { GuardedAuthenticate } from './limits/failure-limit.ts';
import { createRequestCharge } from './limits/request-charge.ts';
import { COST_OF_REPLAN, costOfCreate, costOfList, costOfPresign, costOfReport } from './limits/request-cost.ts';
import type { LimitAddress, LimitRequests } from './limits/request-limit.ts';
import { createStreamLimit, type StreamLimits } from './limits/stream-limit.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { UploadService } from './service.ts';

export interface AppDeps {
  readonly service: UploadService;
  readonly authenticate: GuardedAuthenticate<Credentials, Grant>;
  readonly audit: Audit;
  readonly edge?: EdgeOptions;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  /** Aborts when the server is asked to stop: `/readyz` says so, and everything else goes on. The same as `shutdown` by default. */
  readonly stopping?: AbortSignal;
  /** Aborts when the server stops taking requests: live streams end. */
  readonly shutdown: AbortSignal;
  /** Called with the time of each client, from the header `Date`, and the key of its token. */
  readonly hearClock?: (token: string, date: string | undefined) => void;
  /** Returns the client's address, as far as the proxies in between are trusted. */
  readonly addressOf: (context: Context) => string;
  /** How often a live stream without changes sends a comment; 15 s by default. */
  readonly keepAliveMs?: number;
}

/** Limits between the network and the API. An option that is left out means no limit; `bodies` and `streams` have defaults. */
export interface EdgeOptions {
  readonly limitRequests?: LimitRequests;
  /** Limits requests that need no token, by address. */
  readonly limitAddress?: LimitAddress;
  readonly bodies?: BodyLimits;
  readonly bodyTime?: BodyTime;
  readonly streams?: StreamLimits;
  readonly corsOrigins?: readonly string[];
  /** Whether clients connect by TLS to this process. */
  readonly tls?: boolean;
}

/** All watchers of a session share a query of the session store for this long. With the time between polls, it stays below the second that an event may take. */
const SHARE_PROGRESS_MS = 250;

type Env = { Variables: RequestFacts & BodyFacts & { caller: Caller } };

/** The control plane as a Hono app. It never listens: tests call `app.request()`. */
export function createApp(deps: AppDeps) {
  const {
    service,
    authenticate,
    audit,
    log,
    metrics,
    version,
    shutdown,
    stopping = shutdown,
    addressOf,
    edge = {},
    hearClock = () => {},
  } = deps;
  const {
    limitRequests = async () => {},
    limitAddress = async () => {},
    bodies,
    bodyTime,
    streams,
    corsOrigins = [],
    tls = false,
  } = edge;
  const charge = createRequestCharge(limitRequests, limitKeyOf);
  const acquireStream = createStreamLimit(streams);
  const watched = createSharedFlight<wire.Progress>(SHARE_PROGRESS_MS);
  const app = new OpenAPIHono<Env>({
    getPath: pathWithoutTokens,
    defaultHook: (result, context) => {
      if (result.target === 'json') context.get('bodyChecked')?.(result.success);
      if (!result.success) throw invalidRequest(result.error.issues);
    },
  });

  app.use(requestId());
  app.use(async (context, next) => {
    context.set('address', addressOf(context));
    await next();
  });
  app.use(logRequests(log, metrics));
  app.use(setSecurityHeaders({ tls }));
  app.use(allowOrigins(corsOrigins));
  app.use(async (context, next) => {
    const { path } = context.req;
    if (!path.startsWith('/api/') && path !== PATHS.metrics) await limitAddress(context.get('address'));
    await next();
  });
  for (const path of ['/api/*', PATHS.metrics]) {
    app.use(path, async (context, next) => {
      const caller = await callerOf(context);
      context.set('caller', caller);
      hearClock(caller.grant.limitKey, context.req.header('date'));
      await charge.arrival(context);
      await next();
    });
  }
  app.use(
    '/api/*',
    receiveBodies({
      limits: bodies,
      keyOf: limitKeyOf,
      partCountOf: (context, sessionId) => service.partCount(context.get('caller'), sessionId),
      onBody: charge.body,
      time: bodyTime,
    }),
  );

  app.openapi(createRoute(routes.createUpload), async (context) => {
    const request = context.req.valid('json');
    context.set('wanted', { key: request.key ?? request.keyTemplate ?? request.fileName, size: request.size });
    await charge.work(context, costOfCreate(request));
    const idempotencyKey = context.req.valid('header')['idempotency-key'];
    const { session, created } = await service.create(context.get('caller'), request, idempotencyKey);
    return context.json(session, created ? 201 : 200);
  });
  app.openapi(createRoute(routes.listUploads), async (context) => {
    const query = context.req.valid('query');
    await charge.work(context, costOfList(query));
    return context.json(await service.list(context.get('caller'), query), 200);
  });
  app.openapi(createRoute(routes.getUpload), async (context) => context.json(await service.get(...target(context)), 200));
  app.openapi(createRoute(routes.abortUpload), async (context) => context.json(await service.abort(...target(context)), 200));
  app.openapi(createRoute(routes.presignParts), async (context) => {
    const request = context.req.valid('json');
    await charge.work(context, costOfPresign(request));
    return context.json(await service.presign(...target(context), request), 200);
  });
  app.openapi(createRoute(routes.listParts), async (context) => context.json(await service.parts(...target(context)), 200));
  app.openapi(createRoute(routes.replanUpload), async (context) => {
    await charge.work(context, COST_OF_REPLAN);
    return context.json(await service.replan(...target(context), context.req.valid('json')), 200);
  });
  app.openapi(createRoute(routes.reportProgress), async (context) => {
    const report = context.req.valid('json');
    await charge.work(context, costOfReport(report));
    return context.json(await service.report(...target(context), report), 200);
  });
  app.openapi(createRoute(routes.completeUpload), async (context) => {
    return context.json(await service.complete(...target(context), context.req.valid('json') ?? {}), 200);
  });
  app.openapi(createRoute(routes.grantCapability), async (context) => {
    return context.json(await service.grantCapability(...target(context), context.req.valid('json') ?? {}), 201);
  });
  app.openapi(createRoute(routes.getObject), async (context) => context.json(await service.object(...target(context)), 200));
  app.openapi(createRoute(routes.getProgress), (context) => answerProgress(context, context.req.valid('param').sessionId));
  app.openapi(createRoute(routes.getProgressByUploadId), (context) =>
    answerProgress(context, context.req.valid('param').upload_id),
  );
  app.openapi(createRoute(routes.getStore), async (context) => context.json(await service.store(context.get('caller')), 200));

  app.openapi(createRoute(routes.getMetrics), async (context) => {
    service.mustOversee(context.get('caller'));
    return context.text(await metrics.expose(), 200, { 'content-type': metrics.contentType });
  });
  app.openapi(createRoute(routes.healthz), (context) => context.json({ ok: true as const }, 200));
  app.openapi(createRoute(routes.readyz), async (context) => {
    const readiness = stopping.aborted ? STOPPING : await service.readiness(context.get('requestId'));
    if (readiness.ready) return context.json(readiness, 200);
    const { code = 'INTERNAL' } = Object.values(readiness.checks).find(({ ok }) => !ok) ?? {};
    throw new UploadError(code, 'The server cannot work now: `checks` says what is missing.', { facts: { ...readiness } });
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  // Made once, because it takes milliseconds and needs no token.
  let openapi: string | undefined;
  app.get(PATHS.openapi, (context) => {
    openapi ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: { title: 'partway', version, description: API_DESCRIPTION },
      }),
    );
    return context.body(openapi, 200, { 'content-type': 'application/json' });
  });
  app.get('/problems/:slug', explainProblem);

  const listeners = { log, refused: metrics.requests.refused };
  app.notFound((context) => problemResponse(context, noRoute(context), listeners));
  app.onError((error, context) => {
    const refusal = refusalOf(error, { method: context.req.method, path: context.req.path, ...context.var });
    if (refusal !== undefined) audit.record(refusal);
    return problemResponse(context, error, listeners);
  });
  return app;

  async function callerOf(context: Context<Env>): Promise<Caller> {
    const credentials = credentialsIn(context.req.header('authorization'), capabilityIn(context.req.raw));
    const address = context.get('address');
    return { grant: await authenticate(credentials, address), address, requestId: context.get('requestId') };
  }

  async function answerProgress(context: Context<Env>, sessionId: string) {
    const caller = context.get('caller');
    const first = await service.progress(caller, sessionId);
    if (!context.req.header('accept')?.includes('text/event-stream')) return context.json(first, 200);
    // A client that sent HEAD would not read the stream, nor notice that it goes on.
    if (context.req.method === 'HEAD') return context.body(null, 200, { 'content-type': 'text/event-stream' }) as never;
    const release = acquireStream(caller.grant, sessionId);
    const countClosed = metrics.requests.streamOpened();
    const onEnd = () => {
      release();
      countClosed();
    };
    // One watcher's query serves all: the access of each was checked, and the rights of a token never change while it lives.
    const next = () => watched.run(sessionId, () => service.progress(caller, sessionId));
    // A watcher may watch for days, and its token may be revoked meanwhile.
    const authenticateAgain = () => callerOf(context);
    return streamProgress(
      context,
      { first, next, authenticateAgain, onEnd },
      { shutdown, log: logOfRequest(log, context.get('requestId')), keepAliveMs: deps.keepAliveMs },
    ) as never;
  }
}

function limitKeyOf(context: Context): string {
  return (context.get('caller') as Caller).grant.limitKey;
}

const API_DESCRIPTION =
  'Uploads of very large files that finish. Create a session, presign parts, PUT them straight to the object store, complete. Sizes are bytes; byte ranges include `start` and exclude `end`.';

/** Returns the caller and the id of the session that the request names. */
function target(context: {
  get(name: 'caller'): Caller;
  req: { valid(target: 'param'): { sessionId: string } };
}): [Caller, string] {
  return [context.get('caller'), context.req.valid('param').sessionId];
}

function logRequests(log: Log, { requests }: Metrics) {
  return async function logRequest(context: Context<Env>, next: () => Promise<void>) {
    const startedAt = performance.now();
    await next();
    // Only the path: query, headers and bodies may carry tokens and URLs.
    const { method, path } = context.req;
    const { status } = context.res;
    const ms = performance.now() - startedAt;
    requests.answered(method, routePath(context, -1), status, ms);
    log.info({ requestId: context.get('requestId'), method, path, status, ms: Math.round(ms) }, 'request');
  };
}

function noRoute(context: Context): UploadError {
  return new UploadError('ROUTE_NOT_FOUND', `There is no ${context.req.method} ${context.req.path}.`, {
    hint: `The API is described at ${PATHS.openapi}.`,
  });
}

/** Answers with the page behind a problem's `type`. */
function explainProblem(context: Context): Response {
  const code = SERVICE_ERROR_CODES.find((candidate) => problemType(candidate) === context.req.path);
  if (code === undefined) throw noRoute(context);
  const { status, title, explanation }: Problem = PROBLEMS[code];
  return context.text(`${code} (HTTP ${status})\n\n${title}.\n\n${explanation}\n`);
}
