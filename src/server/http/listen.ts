import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { getRequestListener, RequestError } from '@hono/node-server';
import { PROBLEM_MEDIA_TYPE } from '../../contract/problems.ts';
import { type ServiceErrorCode, UploadError } from '../../session/errors.ts';
import { ConfigError } from '../core/config-error.ts';
import type { Log } from '../core/deps.ts';
import { isWithin, type Network } from '../limits/client-address.ts';
import { HTTP_LIMITS, type HttpLimits, limitConnections, serverOptions } from '../limits/connection-limits.ts';
import { lingerAtClose } from './lingering-close.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { problemAnswer } from './problem-response.ts';
import { answerRefusedRequests, type RefusedRequestsOptions } from './refused-requests.ts';
import { securityHeaders } from './security-headers.ts';
import { readTlsPair, type TlsFiles } from './tls.ts';
import { startTlsReload, type TlsReload } from './tls-reload.ts';

/** How long requests in progress may take after `close` was called. */
const DRAIN_MS = 10_000;
const CLOSE_IDLE_EVERY_MS = 50;
const CERTIFICATE_LOOK_MS = 5_000;

type Fetch = Parameters<typeof getRequestListener>[0];

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  readonly trustedProxies: readonly Network[];
  readonly log: Log;
  /** Called for each request that is refused before the app sees it. */
  readonly refused?: (code: ServiceErrorCode) => void;
  readonly limits?: Partial<HttpLimits>;
  readonly certificateLookMs?: number;
}

export interface Listening {
  readonly url: string;
  /** Reads the certificate files again. Does nothing without TLS. */
  reloadCertificate(): Promise<void>;
  /** Lets requests in progress finish for up to 10 s. */
  close(): Promise<void>;
}

/** Opens the port and hands requests to the app, within limits. @throws ConfigError for unusable certificate files, or the reason why the port cannot be opened. */
export async function listen(fetch: Fetch, options: ListenOptions): Promise<Listening> {
  const { host, port, tls, log, trustedProxies, refused = () => {} } = options;
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const headers = securityHeaders({ tls: tls !== undefined });
  const certificate = tls && readCertificate(tls);
  const answer = getRequestListener(fetch, { errorHandler: (error) => answerUnreadable(error, { headers, log, refused }) });
  const handle = oneAtATime(answer, log);
  const server = certificate
    ? createHttpsServer({ ...serverOptions(limits), ...certificate, handshakeTimeout: limits.headersTimeoutMs }, handle)
    : createHttpServer(serverOptions(limits), handle);
  limitConnections(server, limits, (address) => isWithin(trustedProxies, address));
  lingerAtClose(server);
  answerRefusedRequests(server, { headers, log, refused });
  const reload = tls && (await reloadInto(server as HttpsServer, tls, options));
  try {
    await bind(server, host, port);
  } catch (error) {
    reload?.stop();
    throw error;
  }
  return {
    url: urlOf(server, tls ? 'https' : 'http'),
    reloadCertificate: async () => reload?.now(),
    close: () => {
      reload?.stop();
      return drain(server);
    },
  };
}

function readCertificate(files: TlsFiles): SecureContextOptions {
  const pair = readTlsPair(files);
  if ('faults' in pair) throw new ConfigError(pair.faults);
  return pair.options;
}

function reloadInto(server: HttpsServer, files: TlsFiles, { log, certificateLookMs }: ListenOptions): Promise<TlsReload> {
  const apply = (pair: SecureContextOptions) => server.setSecureContext(pair);
  return startTlsReload({ files, apply, log, intervalMs: certificateLookMs ?? CERTIFICATE_LOOK_MS });
}

/** Answers a request that never reaches the app, because its target or Host header makes no URL. */
function answerUnreadable(error: unknown, { headers, log, refused }: RefusedRequestsOptions): Response {
  const isWrong = error instanceof RequestError;
  const answer = problemAnswer(isWrong ? new UploadError('INVALID_REQUEST', `${error.message}.`) : error, randomUUID());
  refused(answer.code);
  if (!isWrong) log.error({ requestId: answer.instance, err: error }, 'request failed');
  const all = { ...headers, ...answer.headers, 'content-type': PROBLEM_MEDIA_TYPE };
  return new Response(answer.body, { status: answer.status, headers: all });
}

function bind(server: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListenError(error, host, port)));
    server.listen(port, host, resolve);
  });
}

function urlOf(server: HttpServer, scheme: 'http' | 'https'): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function drain(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    // Repeatedly: a connection whose last answer (such as a live stream) ends only now becomes idle then, and Node would keep
    // it for the keep-alive time.
    const closingIdle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
    server.close(() => {
      clearInterval(closingIdle);
      resolve();
    });
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  });
}

function explainListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code !== 'EADDRINUSE') return error;
  return new Error(
    `Port ${port} on ${host} is in use by another program. Stop that program, or choose another port with PARTWAY_PORT.`,
    { cause: error },
  );
}
