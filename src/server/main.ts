import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { type Logger, pino } from 'pino';
import { createS3ObjectStore } from '../object-store/s3.ts';
import type { SigningOptions } from '../object-store/s3-signing.ts';
import { openStoreToWrite } from '../session-store/open.ts';
import { createApp } from './app.ts';
import { createAuditLog } from './audit/audit-log.ts';
import { auditAsServer, noAudit } from './audit/event.ts';
import { createAuthenticate, createFirstToken, hasLiveToken } from './auth.ts';
import { type Config, ConfigError, parseConfig } from './config.ts';
import { clientAddress, isWithin, parseNetworks } from './edge/client-address.ts';
import { guardAuthentication } from './edge/failure-limit.ts';
import { listen } from './edge/listen.ts';
import { judgeListening } from './edge/listening-rule.ts';
import { createAddressLimit, createRequestLimit } from './edge/request-limit.ts';
import { readTlsPair, type TlsFiles } from './edge/tls.ts';
import { describeDatabase } from './file-locations.ts';
import { createMetrics } from './metrics/metrics.ts';
import { createService } from './service.ts';
import { newSessionId } from './session-id.ts';
import { startSweeper } from './sweeper.ts';
import { startTelling } from './webhooks/telling.ts';

const SWEEP_INTERVAL_MS = 60_000;

export interface RunningServer {
  /** For example `http://127.0.0.1:7373`, or `https://…` with a certificate. */
  readonly url: string;
  /** Puts a renewed certificate into use at once, and goes on with a new audit log where the old one was moved away. */
  reload(): Promise<void>;
  /**
   * Says at `/readyz` that it stops, and goes on for the drain delay of the configuration; then takes no more requests, sends live
   * streams elsewhere, lets running requests finish for up to 10 s, and closes the database. Idempotent.
   */
  stop(): Promise<void>;
}

/** Reads the environment, starts the control plane and runs until SIGTERM or SIGINT. @throws ConfigError, or the reason why it cannot start. */
export async function main(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = parseConfig(env, faultsOfTls);
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const server = await startServer(config, log, (token) => showFirstToken(token));
  log.info({ url: server.url, database: describeDatabase(config.database), bucket: config.s3.bucket }, 'listening');
  // Not at a terminal, when that is closed: there it ends the server, as it ends every program.
  if (!process.stdout.isTTY) process.on('SIGHUP', () => void server.reload());
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  log.info({}, 'stopping');
  await server.stop();
}

/** Composition root: config → adapters → service → app → listen. */
export async function startServer(config: Config, log: Logger, onFirstToken: (token: string) => void): Promise<RunningServer> {
  const sessions = await openStoreToWrite(config.database);
  const version = packageVersion();
  const metrics = createMetrics({ sessions, hasWebhook: config.webhook !== undefined, now: Date.now, log, version });
  const s3 = createS3ObjectStore({
    ...config.s3,
    accessKeyId: config.s3.accessKeyId.reveal(),
    secretAccessKey: config.s3.secretAccessKey.reveal(),
    signing: signingOptions(config),
    log,
  });
  const auditLog = openAudit(config, log);
  const audit = metrics.sessions.countEvents(auditLog);
  const objects = metrics.measureStore(s3);
  const { corsOrigins } = config.edge;
  const deps = { sessions, objects, now: Date.now, newSessionId, policy: config.policy, corsOrigins, log };
  const stopping = new AbortController();
  const shutdown = new AbortController();
  const { tls, trustedProxies, requestsPerSecond } = config.edge;
  const neverRefused = [...parseNetworks('loopback'), ...trustedProxies];
  const service = createService(deps, audit, metrics.sessions);
  const app = createApp({
    service,
    authenticate: guardAuthentication(createAuthenticate(sessions, config.adminToken?.reveal(), Date.now)),
    audit,
    addressOf: ({ env, req }) =>
      clientAddress((env as HttpBindings).incoming.socket.remoteAddress, req.header('x-forwarded-for'), trustedProxies),
    edge: {
      limitRequests: createRequestLimit(requestsPerSecond),
      limitAddress: createAddressLimit((address) => isWithin(neverRefused, address)),
      corsOrigins,
      tls: tls !== undefined,
    },
    log,
    metrics,
    version,
    stopping: stopping.signal,
    shutdown: shutdown.signal,
  });
  const closeStores = async () => {
    s3.close();
    await sessions.close();
    auditLog.close();
  };
  const listening = await startListening().catch(async (error: unknown) => {
    await closeStores();
    throw error;
  });
  // Not before the port is ours: a start that fails must not have shown the only token.
  await makeFirstToken().catch(async (error: unknown) => {
    await listening.close();
    await closeStores();
    throw error;
  });
  void service.tryStore();
  const sweeper = startSweeper({ ...deps, audit: auditAsServer(audit) }, SWEEP_INTERVAL_MS, metrics.swept);
  const watching = metrics.watchProcess();
  const telling = startTelling({ outbox: sessions.outbox, now: Date.now, log, tell: metrics.eventDelivered }, config.webhook);

  let stopped: Promise<void> | undefined;
  return {
    url: listening.url,
    reload() {
      auditLog.reopen();
      return listening.reloadCertificate();
    },
    stop() {
      stopped ??= (async () => {
        stopping.abort();
        await sleep(config.drainDelayMs);
        shutdown.abort();
        watching.stop();
        await Promise.all([listening.close(), sweeper.stop(), telling.stop()]);
        await closeStores();
      })();
      return stopped;
    },
  };

  async function makeFirstToken(): Promise<void> {
    if (config.adminToken !== undefined) return;
    const token = await createFirstToken(sessions, audit, Date.now());
    if (token !== undefined) onFirstToken(token);
  }

  async function startListening() {
    const hasToken = config.adminToken !== undefined || (await hasLiveToken(sessions, Date.now()));
    const { refusal, warning } = judgeListening({ host: config.host, hasToken, hasTls: tls !== undefined });
    if (refusal !== undefined) throw new ConfigError([refusal]);
    const running = await listen(app.fetch, { ...config, tls, trustedProxies, log, refused: metrics.requests.refused });
    if (warning !== undefined) log.warn({ url: running.url }, warning);
    return running;
  }
}

function openAudit({ auditPath: path }: Config, log: Logger) {
  return path === undefined ? { ...noAudit, reopen() {}, close() {} } : createAuditLog({ path, now: Date.now, log });
}

function signingOptions({ s3: { signing }, policy }: Config): SigningOptions {
  if (signing.kind === 'shared') return { kind: 'shared' };
  if (signing.kind !== 'key') return { kind: signing.kind, urlTtlSeconds: policy.urlTtlSeconds };
  return { kind: 'key', accessKeyId: signing.accessKeyId.reveal(), secretAccessKey: signing.secretAccessKey.reveal() };
}

function faultsOfTls(files: TlsFiles): readonly string[] {
  const pair = readTlsPair(files);
  return 'faults' in pair ? pair.faults : [];
}

/** On standard output and nowhere else: a log may be kept and shipped, a token must not be. */
function showFirstToken(token: string): void {
  process.stdout.write(`Made the first token. It is shown only now; clients need it as PARTWAY_TOKEN:\n\n  ${token}\n\n`);
}

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
