import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import { createS3ObjectStore } from '../object-store/s3.ts';
import type { SigningOptions } from '../object-store/signing-credentials.ts';
import { agentsThrough } from '../outbound/proxy-agents.ts';
import { describeWay } from '../outbound/proxy-settings.ts';
import { type LateStore, openOrWait } from '../session-store/late-store.ts';
import { openStoreToWrite } from '../session-store/open.ts';
import { createAuthenticate, createFirstToken, hasLiveToken } from './access/auth.ts';
import { atTerminal, type FirstTokenPlace, firstTokenPath, inFile } from './access/first-token.ts';
import { createApp } from './app.ts';
import { createAuditLog } from './audit/audit-log.ts';
import { auditAsServer, noAudit } from './audit/event.ts';
import { createExpiryClock } from './clock/expiry-clock.ts';
import { ConfigError } from './core/config-error.ts';
import { createLog } from './core/log-output.ts';
import { newSessionId } from './core/session-id.ts';
import { startChecks } from './health/start-checks.ts';
import { listen } from './http/listen.ts';
import { readTlsPair, type TlsFiles } from './http/tls.ts';
import { startSweeper } from './lifecycle/sweeper.ts';
import { createBodyTime } from './limits/body-time.ts';
import { clientAddress, isWithin, parseNetworks } from './limits/client-address.ts';
import { guardAuthentication } from './limits/failure-limit.ts';
import { createAddressLimit, createRequestLimit } from './limits/request-limit.ts';
import { createMetrics } from './metrics/metrics.ts';
import { createService } from './service.ts';
import { type Config, parseConfig } from './settings/config.ts';
import { dataFolder, describeDatabase } from './settings/file-locations.ts';
import { judgeListening } from './settings/listening-rule.ts';
import { startTelling } from './webhooks/start.ts';

const SWEEP_INTERVAL_MS = 60_000;
const FIRST_TOKEN_IN_FILE =
  'made the first token and wrote it into a file that only this user may read: clients need it as PARTWAY_TOKEN; keep it elsewhere, then delete the file';

export interface RunningServer {
  /** For example `http://127.0.0.1:7373`, or `https://…` with a certificate. */
  readonly url: string;
  /** Whether something happened to the SQLite file under the server: see its log. */
  readonly isDatabaseLost: boolean;
  /** Rejects where its database arrives after the start, and it cannot serve with what it finds there. */
  readonly failed: Promise<never>;
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
  const log = createLog();
  for (const text of config.unknown) log.warn({}, text);
  const firstToken = process.stdout.isTTY
    ? atTerminal((text) => process.stdout.write(text))
    : inFile(firstTokenPath(config.database, dataFolder(env)), (path) => log.warn({ path }, FIRST_TOKEN_IN_FILE));
  const server = await startServer(config, log, firstToken.tell, firstToken);
  log.info({ url: server.url, database: describeDatabase(config.database), bucket: config.s3.bucket }, 'listening');
  // Not at a terminal, when that is closed: there it ends the server, as it ends every program.
  if (!process.stdout.isTTY) process.on('SIGHUP', () => void server.reload());
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  try {
    await Promise.race([signalled, server.failed]);
    log.info({}, 'stopping');
  } finally {
    await server.stop();
  }
  // At an ordinary end the driver closes SQLite, which then writes its WAL into whatever the database's file is now.
  if (server.isDatabaseLost) process.exit(1);
}

/**
 * Composition root: config → adapters → service → app → listen. A database that is away, and may come, keeps it from nothing but what needs
 * the database: requests are answered 503 until it is there.
 * @throws ConfigError, SessionStoreStartError, or why the port cannot be had
 */
export async function startServer(
  config: Config,
  log: Logger,
  onFirstToken: (token: string) => void,
  firstToken?: Pick<FirstTokenPlace, 'keep' | 'discard'>,
): Promise<RunningServer> {
  let isDatabaseLost = false;
  const onLoss = (error: Error) => {
    isDatabaseLost = true;
    log.error({ err: error }, 'the database file was lost; nothing more is recorded');
  };
  const database = await openOrWait(() => openStoreToWrite(config.database, { onLoss }), {
    isShared: config.database.kind === 'postgres',
  });
  try {
    return await serve({ config, log, onFirstToken, firstToken, database, isDatabaseLost: () => isDatabaseLost });
  } catch (error) {
    database.giveUp();
    throw error;
  }
}

interface Start {
  readonly config: Config;
  readonly log: Logger;
  readonly onFirstToken: (token: string) => void;
  readonly firstToken: Pick<FirstTokenPlace, 'keep' | 'discard'> | undefined;
  readonly database: LateStore;
  readonly isDatabaseLost: () => boolean;
}

async function serve(start: Start): Promise<RunningServer> {
  const { config, log, onFirstToken, firstToken, database, isDatabaseLost } = start;
  const { sessions } = database;
  const isOpenFirst = database.isOpen;
  /** True where it is known before the server listens whether it may: a token in the environment is enough for that. */
  const isJudgedFirst = isOpenFirst || config.adminToken !== undefined;
  const version = packageVersion();
  const metrics = createMetrics({ sessions, hasWebhook: config.webhook !== undefined, now: Date.now, log, version });
  tellWays(config, log);
  const makeAgent = agentsThrough(config.proxies);
  const s3 = createS3ObjectStore({
    ...config.s3,
    accessKeyId: config.s3.accessKeyId.reveal(),
    secretAccessKey: config.s3.secretAccessKey.reveal(),
    signing: signingOptions(config),
    makeAgent,
    log,
  });
  const auditLog = openAudit(config, log);
  const audit = metrics.sessions.countEvents(auditLog);
  const objects = metrics.measureStore(s3);
  const { corsOrigins } = config.edge;
  const deps = { sessions, objects, now: Date.now, newSessionId, policy: config.policy, corsOrigins, log };
  const expiryClock = createExpiryClock({
    objects,
    now: Date.now,
    monotonic: () => performance.now(),
    holdMs: config.expiryHoldMs,
    log,
    tell: metrics.clockSeen,
  });
  const stopping = new AbortController();
  const shutdown = new AbortController();
  const { tls, trustedProxies, requestsPerSecond } = config.edge;
  const neverRefused = [...parseNetworks('loopback'), ...trustedProxies];
  const service = createService(deps, audit, metrics.sessions);
  const app = createApp({
    service,
    authenticate: guardAuthentication(
      createAuthenticate(sessions, config.adminToken?.reveal(), Date.now, config.maxOpenSessions),
    ),
    audit,
    hearClock: expiryClock.hear,
    addressOf: ({ env, req }) =>
      clientAddress((env as HttpBindings).incoming.socket.remoteAddress, req.header('x-forwarded-for'), trustedProxies),
    edge: {
      limitRequests: createRequestLimit(requestsPerSecond),
      ...(requestsPerSecond !== null && { bodyTime: createBodyTime(() => performance.now()) }),
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
    expiryClock.stop();
    s3.close();
    await sessions.close();
    auditLog.close();
  };
  const listening = await startListening().catch(async (error: unknown) => {
    await closeStores();
    throw error;
  });
  /** What works on the database by itself. */
  let tasks: readonly { stop(): Promise<void> }[] = [];
  // Not before the port is ours: a start that fails must not have shown the only token.
  if (isOpenFirst) {
    await begin().catch(async (error: unknown) => {
      await listening.close();
      await closeStores();
      throw error;
    });
  }
  const checks = startChecks(service.readiness, log);
  const watching = metrics.watchProcess();
  const begun = isOpenFirst ? Promise.resolve() : database.opened.then((isOpen) => (isOpen ? beginLate() : undefined));
  const failed = begun.then(() => new Promise<never>(() => {}));
  // It may fail during a stop, when nothing waits for it any more.
  failed.catch(() => {});

  let stopped: Promise<void> | undefined;
  return {
    url: listening.url,
    failed,
    get isDatabaseLost() {
      return isDatabaseLost();
    },
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
        database.giveUp();
        await Promise.all([listening.close(), checks.stop(), begun.catch(() => {})]);
        await Promise.all(tasks.map((task) => task.stop()));
        await closeStores();
      })();
      return stopped;
    },
  };

  async function begin(): Promise<void> {
    await makeFirstToken();
    const sweepDeps = { ...deps, audit: auditAsServer(audit) };
    const webhook = config.webhook && { ...config.webhook, makeAgent };
    tasks = [
      startSweeper(sweepDeps, SWEEP_INTERVAL_MS, metrics.swept, expiryClock.mayExpire),
      startTelling(
        { outbox: sessions.outbox, now: Date.now, log, tell: metrics.eventDelivered, mayForget: expiryClock.mayForget },
        webhook,
      ),
    ];
  }

  async function beginLate(): Promise<void> {
    log.info({ database: describeDatabase(config.database) }, 'the database is there');
    if (!isJudgedFirst) tellExposure(listening.url, await judge());
    await begin();
  }

  async function makeFirstToken(): Promise<void> {
    if (config.adminToken !== undefined) return;
    const token = await createFirstToken(sessions, audit, Date.now(), firstToken?.keep).catch((error: unknown) => {
      firstToken?.discard();
      throw error;
    });
    if (token !== undefined) onFirstToken(token);
  }

  async function startListening() {
    const warning = isJudgedFirst ? await judge() : undefined;
    const running = await listen(app.fetch, { ...config, tls, trustedProxies, log, refused: metrics.requests.refused });
    tellExposure(running.url, warning);
    return running;
  }

  /** @returns a warning. @throws ConfigError where it must not listen there. */
  async function judge(): Promise<string | undefined> {
    const hasToken = config.adminToken !== undefined || (await hasLiveToken(sessions, Date.now()));
    const { refusal, warning } = judgeListening({ host: config.host, hasToken, hasTls: tls !== undefined });
    if (refusal !== undefined) throw new ConfigError([refusal]);
    return warning;
  }

  function tellExposure(url: string, warning: string | undefined): void {
    if (warning !== undefined) log.warn({ url }, warning);
  }
}

/** Where proxies are set: which of the server's own connections go through one. The webhook's URL may be a secret, so it is not shown. */
function tellWays({ proxies, s3, webhook }: Config, log: Logger): void {
  const storeWay = describeWay(proxies, s3.endpoint);
  if (storeWay !== undefined) log.info({ endpoint: new URL(s3.endpoint).origin }, `the object store is reached ${storeWay}`);
  const webhookWay = webhook && describeWay(proxies, webhook.url.reveal());
  if (webhookWay !== undefined) log.info({}, `the webhook is reached ${webhookWay}`);
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

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
