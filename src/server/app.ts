import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { requestId } from 'hono/request-id';
import { MAX_BODY_BYTES, PATHS } from '../contract/paths.ts';
import { PROBLEMS, type Problem, problemType } from '../contract/problems.ts';
import * as routes from '../contract/routes.ts';
import { SERVICE_ERROR_CODES, UploadError } from '../session/errors.ts';
import type { Caller } from './auth.ts';
import type { Log } from './deps.ts';
import { limitBody } from './edge/body-limit.ts';
import { UNKNOWN_ADDRESS } from './edge/client-address.ts';
import { allowOrigins } from './edge/cors.ts';
import type { GuardedAuthenticate } from './edge/failure-limit.ts';
import type { LimitRequests } from './edge/request-limit.ts';
import { setSecurityHeaders } from './edge/security-headers.ts';
import { problemResponse } from './problem-response.ts';
import { streamProgress } from './progress-stream.ts';
import type { UploadService } from './service.ts';

export interface AppDeps {
  readonly service: UploadService;
  readonly authenticate: GuardedAuthenticate<string | undefined, Caller>;
  readonly edge?: EdgeOptions;
  readonly log: Log;
  readonly version: string;
  /** Aborts when the server is about to stop: live streams end. */
  readonly shutdown: AbortSignal;
  /** How often a live stream without changes says something all the same; 15 s unless told. */
  readonly keepAliveMs?: number;
}

/** What stands between the network and the API; nothing of it where left out. */
export interface EdgeOptions {
  readonly addressOf?: (context: Context) => string;
  readonly limitRequests?: LimitRequests;
  readonly corsOrigins?: readonly string[];
  /** Whether clients connect by TLS to this process. */
  readonly tls?: boolean;
}

type Env = { Variables: { requestId: string; caller: Caller } };

/** The control plane as a Hono app. It never listens: tests call `app.request()`. */
export function createApp({ service, authenticate, log, version, shutdown, keepAliveMs, edge = {} }: AppDeps) {
  const { addressOf = () => UNKNOWN_ADDRESS, limitRequests = async () => {}, corsOrigins = [], tls = false } = edge;
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error.issues);
    },
  });

  app.use(requestId());
  app.use(logRequests(log));
  app.use(setSecurityHeaders({ tls }));
  app.use(allowOrigins(corsOrigins));
  app.use('/api/*', async (context, next) => {
    const caller = await authenticate(context.req.header('authorization'), addressOf(context));
    await limitRequests(caller.owner);
    context.set('caller', caller);
    await next();
  });
  app.use('/api/*', limitBody(MAX_BODY_BYTES));

  app.openapi(createRoute(routes.createUpload), async (context) => {
    const idempotencyKey = context.req.valid('header')['idempotency-key'];
    const { session, created } = await service.create(context.get('caller').owner, context.req.valid('json'), idempotencyKey);
    return context.json(session, created ? 201 : 200);
  });
  app.openapi(createRoute(routes.listUploads), async (context) =>
    context.json(await service.list(context.req.valid('query')), 200),
  );
  app.openapi(createRoute(routes.getUpload), async (context) => context.json(await service.get(sessionIdOf(context)), 200));
  app.openapi(createRoute(routes.abortUpload), async (context) => context.json(await service.abort(sessionIdOf(context)), 200));
  app.openapi(createRoute(routes.presignParts), async (context) => {
    return context.json(await service.presign(sessionIdOf(context), context.req.valid('json')), 200);
  });
  app.openapi(createRoute(routes.listParts), async (context) => context.json(await service.parts(sessionIdOf(context)), 200));
  app.openapi(createRoute(routes.reportProgress), async (context) => {
    return context.json(await service.report(sessionIdOf(context), context.req.valid('json')), 200);
  });
  app.openapi(createRoute(routes.completeUpload), async (context) => {
    return context.json(await service.complete(sessionIdOf(context), context.req.valid('json') ?? {}), 200);
  });
  app.openapi(createRoute(routes.getObject), async (context) => context.json(await service.object(sessionIdOf(context)), 200));
  app.openapi(createRoute(routes.getProgress), (context) => answerProgress(context, sessionIdOf(context)));
  app.openapi(createRoute(routes.getProgressByUploadId), (context) =>
    answerProgress(context, context.req.valid('param').upload_id),
  );

  app.openapi(createRoute(routes.healthz), (context) => context.json({ ok: true as const }, 200));
  app.openapi(createRoute(routes.readyz), async (context) => {
    const readiness = await service.readiness();
    if (readiness.ready) return context.json(readiness, 200);
    const { code = 'INTERNAL' } = Object.values(readiness.checks).find(({ ok }) => !ok) ?? {};
    throw new UploadError(code, 'The server cannot work now: `checks` says what is missing.', { facts: { ...readiness } });
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  app.doc31(PATHS.openapi, { openapi: '3.1.0', info: { title: 'partway', version, description: API_DESCRIPTION } });
  app.get('/problems/:slug', explainProblem);

  app.notFound((context) => problemResponse(context, noRoute(context), log));
  app.onError((error, context) => problemResponse(context, error, log));
  return app;

  async function answerProgress(context: Context<Env>, sessionId: string) {
    const progress = await service.progress(sessionId);
    if (context.req.header('accept')?.includes('text/event-stream')) {
      return streamProgress(context, service, sessionId, progress, { shutdown, log, keepAliveMs }) as never;
    }
    return context.json(progress, 200);
  }
}

const API_DESCRIPTION =
  'Uploads of very large files that finish. Create a session, presign parts, PUT them straight to the object store, complete. Sizes are bytes; byte ranges include `start` and exclude `end`.';

function sessionIdOf(context: { req: { valid(target: 'param'): { sessionId: string } } }): string {
  return context.req.valid('param').sessionId;
}

function logRequests(log: Log) {
  return async function logRequest(context: Context<Env>, next: () => Promise<void>) {
    const startedAt = performance.now();
    await next();
    // The path without its query; no header and no body: they may carry tokens and URLs.
    const { method, path } = context.req;
    const ms = Math.round(performance.now() - startedAt);
    log.info({ requestId: context.get('requestId'), method, path, status: context.res.status, ms }, 'request');
  };
}

function noRoute(context: Context): UploadError {
  return new UploadError('ROUTE_NOT_FOUND', `There is no ${context.req.method} ${context.req.path}.`, {
    hint: `The API is described at ${PATHS.openapi}.`,
  });
}

function invalidRequest(issues: readonly { path: PropertyKey[]; message: string }[]): UploadError {
  const errors = issues.map(({ path, message }) => ({ pointer: toPointer(path), message }));
  const first = errors[0];
  return new UploadError('INVALID_REQUEST', `${first?.pointer || 'The request'}: ${first?.message}`, { facts: { errors } });
}

/** RFC 6901. */
function toPointer(path: PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The page behind a problem's `type`. */
function explainProblem(context: Context): Response {
  const code = SERVICE_ERROR_CODES.find((candidate) => problemType(candidate) === context.req.path);
  if (code === undefined) throw noRoute(context);
  const { status, title, explanation }: Problem = PROBLEMS[code];
  return context.text(`${code} (HTTP ${status})\n\n${title}.\n\n${explanation}\n`);
}
