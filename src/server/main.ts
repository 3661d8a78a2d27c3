import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { type Logger, pino } from 'pino';
import { createS3ObjectStore } from '../object-store/s3.ts';
import type { SigningOptions } from '../object-store/s3-signing.ts';
import { openSqliteStore } from '../session-store/sqlite.ts';
import { createApp } from './app.ts';
import { createAuditLog } from './audit/audit-log.ts';
import { auditAsServer, noAudit } from './audit/event.ts';
import { createAuthenticate, createFirstToken } from './auth.ts';
import { type Config, parseConfig } from './config.ts';
import { createService } from './service.ts';
import { newSessionId } from './session-id.ts';
import { startSweeper } from './sweeper.ts';

const SWEEP_INTERVAL_MS = 60_000;
/** How long requests under way may take after a stop was asked for. */
const DRAIN_MS = 10_000;
const CLOSE_IDLE_EVERY_MS = 50;

export interface RunningServer {
  /** For example `http://127.0.0.1:7373`. */
  readonly url: string;
  /** Ends live streams, lets running requests finish for up to 10 s, closes the database. Idempotent. */
  stop(): Promise<void>;
}

/** Reads the environment, starts the control plane and runs until SIGTERM or SIGINT. @throws ConfigError, or the reason why it cannot start. */
export async function main(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = parseConfig(env);
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const server = await startServer(config, log, (token) => showFirstToken(token));
  log.info({ url: server.url, database: config.databasePath, bucket: config.s3.bucket }, 'listening');
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  log.info({}, 'stopping');
  await server.stop();
}

/** Composition root: config → adapters → service → app → listen. */
export async function startServer(config: Config, log: Logger, onFirstToken: (token: string) => void): Promise<RunningServer> {
  const sessions = openSqliteStore(config.databasePath);
  const objects = createS3ObjectStore({
    ...config.s3,
    accessKeyId: config.s3.accessKeyId.reveal(),
    secretAccessKey: config.s3.secretAccessKey.reveal(),
    signing: signingOptions(config),
    log,
  });
  const audit = openAudit(config, log);
  const deps = { sessions, objects, now: Date.now, newSessionId, policy: config.policy, log };
  const shutdown = new AbortController();
  const app = createApp({
    service: createService(deps, audit),
    authenticate: createAuthenticate(sessions, config.adminToken?.reveal(), Date.now),
    audit,
    addressOf: () => '',
    log,
    version: packageVersion(),
    shutdown: shutdown.signal,
  });
  const closeStores = async () => {
    objects.close();
    await sessions.close();
    audit.close();
  };
  const listening = await listen(app.fetch, config).catch(async (error: unknown) => {
    await closeStores();
    throw error;
  });
  // Not before the port is ours: a start that fails must not have shown the only token.
  if (config.adminToken === undefined) {
    const token = await createFirstToken(sessions, Date.now());
    if (token !== undefined) onFirstToken(token);
  }
  const sweeper = startSweeper({ ...deps, audit: auditAsServer(audit) }, SWEEP_INTERVAL_MS);

  let stopping: Promise<void> | undefined;
  return {
    url: listening.url,
    stop() {
      stopping ??= (async () => {
        shutdown.abort();
        await Promise.all([listening.close(), sweeper.stop()]);
        await closeStores();
      })();
      return stopping;
    },
  };
}

function openAudit({ auditPath: path }: Config, log: Logger) {
  return path === undefined ? { ...noAudit, reopen() {}, close() {} } : createAuditLog({ path, now: Date.now, log });
}

function signingOptions({ s3: { signing }, policy }: Config): SigningOptions {
  if (signing.kind === 'shared') return { kind: 'shared' };
  if (signing.kind !== 'key') return { kind: signing.kind, urlTtlSeconds: policy.urlTtlSeconds };
  return { kind: 'key', accessKeyId: signing.accessKeyId.reveal(), secretAccessKey: signing.secretAccessKey.reveal() };
}

async function listen(fetch: Parameters<typeof createAdaptorServer>[0]['fetch'], { host, port }: Pick<Config, 'host' | 'port'>) {
  const server = createAdaptorServer({ fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListenError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const { address, family, port: actualPort } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actualPort}`,
    close: () =>
      new Promise<void>((resolve) => {
        // Again and again: a connection whose last answer (a live stream, say) ends only now is idle from then on, and Node
        // would keep it for its keep-alive time.
        const closingIdle = setInterval(() => {
          if ('closeIdleConnections' in server) server.closeIdleConnections();
        }, CLOSE_IDLE_EVERY_MS);
        server.close(() => {
          clearInterval(closingIdle);
          resolve();
        });
        setTimeout(() => {
          if ('closeAllConnections' in server) server.closeAllConnections();
        }, DRAIN_MS).unref();
      }),
  };
}

function explainListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code !== 'EADDRINUSE') return error;
  return new Error(
    `Port ${port} on ${host} is taken by another program. Stop that one, or choose another port with PARTWAY_PORT.`,
    { cause: error },
  );
}

/** On standard output and nowhere else: a log may be kept and shipped, a token must not be. */
function showFirstToken(token: string): void {
  process.stdout.write(`Made the first token. It is shown only now; clients need it as PARTWAY_TOKEN:\n\n  ${token}\n\n`);
}

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
