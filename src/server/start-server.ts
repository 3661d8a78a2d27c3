import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import { packageVersion } from '../installation/package-version.ts';
import { agentsThrough } from '../outbound/proxy-agents.ts';
import { type LateStore, openOrWait } from '../session-store/late-store.ts';
import { openStoreToWrite } from '../session-store/open.ts';
import { createAuthenticate, createFirstToken, hasLiveToken } from './access/auth.ts';
import type { FirstTokenPlace } from './access/first-token.ts';
import { createApp } from './app.ts';
import { createAuditLog } from './audit/audit-log.ts';
import { auditAsServer, noAudit } from './audit/event.ts';
import { createExpiryClock } from './clock/expiry-clock.ts';
import { ConfigError } from './core/config-error.ts';
import { newSessionId } from './core/session-id.ts';
import { startChecks } from './health/start-checks.ts';
import { listen } from './http/listen.ts';
import { startSweeper } from './lifecycle/sweeper.ts';
import { createBodyTime } from './limits/body-time.ts';
import { clientAddress, isWithin, parseNetworks } from './limits/client-address.ts';
import { guardAuthentication } from './limits/failure-limit.ts';
import { createAddressLimit, createRequestLimit } from './limits/request-limit.ts';
import { createMetrics } from './metrics/metrics.ts';
import { checkSigner, openObjectStore } from './open-object-store.ts';
import { createService } from './service.ts';
import type { Config } from './settings/config.ts';
import { describeDatabase } from './settings/file-locations.ts';
import { judgeListening } from './settings/listening-rule.ts';
import { logProxies } from './settings/start-notes.ts';
import { startWebhooks } from './webhooks/start.ts';

const SWEEP_INTERVAL_MS = 60_000;

export interface RunningServer {
  /** For example `http://127.0.0.1:7373`, or `https://…` with a certificate. */
  readonly url: string;
  /** Whether the SQLite file was deleted, replaced or changed while the server ran; the log says how. */
  readonly isDatabaseLost: boolean;
  /** Rejects if the database arrives after the start and the server cannot use it. */
  readonly failed: Promise<never>;
  /** Puts a renewed certificate into use at once, and goes on with a new audit log if the old one was moved away. */
  reload(): Promise<void>;
  /**
   * Says at `/readyz` that the server stops, and goes on for the drain delay of the configuration; then accepts no more requests, sends
   * live streams elsewhere, lets running requests finish for up to 10 s, and closes the database. Idempotent.
   */
  stop(): Promise<void>;
}

/**
 * Composition root: config → adapters → service → app → listen. If the database is away and may come back, the server starts all the same,
 * and requests that need it are answered 503 until it is there.
 * @throws ConfigError, SessionStoreStartError, or the reason why the port cannot be opened
 */
export async function startServer(
  config: Config,
  log: Logger,
  onFirstToken: (token: string) => void,
  firstToken?: Pick<FirstTokenPlace, 'keep' | 'discard'>,
): Promise<RunningServer> {
  await checkSigner(config);
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
  /** Whether the listening rule can be applied before the server listens: it needs the database, or a token in the environment. */
  const isJudgedFirst = isOpenFirst || config.adminToken !== undefined;
  const version = packageVersion();
  const metrics = createMetrics({ sessions, hasWebhook: config.webhook !== undefined, now: Date.now, log, version });
  logProxies(config, log);
  const makeAgent = agentsThrough(config.proxies);
  const s3 = openObjectStore(config, { makeAgent, log });
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
    onLook: metrics.clockSeen,
  });
  const stopping = new AbortController();
  const shutdown = new AbortController();
  const { tls, trustedProxies } = config.edge;
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
    edge: edgeOf(config),
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
  /** Background tasks, which work on the database. */
  let tasks: readonly { stop(): Promise<void> }[] = [];
  // Only after the port is open: a start that fails must not have shown the only token.
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
  // It may fail during a stop, when nothing awaits it any more.
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
      startWebhooks(
        { outbox: sessions.outbox, now: Date.now, log, onAttempt: metrics.eventDelivered, mayDelete: expiryClock.mayDelete },
        webhook,
      ),
    ];
  }

  async function beginLate(): Promise<void> {
    log.info({ database: describeDatabase(config.database) }, 'the database can be reached now');
    if (!isJudgedFirst) warnOfExposure(listening.url, await judge());
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
    warnOfExposure(running.url, warning);
    return running;
  }

  /** Applies the listening rule and returns its warning. @throws ConfigError where the server must not listen there. */
  async function judge(): Promise<string | undefined> {
    const hasToken = config.adminToken !== undefined || (await hasLiveToken(sessions, Date.now()));
    const { refusal, warning } = judgeListening({ host: config.host, hasToken, hasTls: tls !== undefined });
    if (refusal !== undefined) throw new ConfigError([refusal]);
    return warning;
  }

  function warnOfExposure(url: string, warning: string | undefined): void {
    if (warning !== undefined) log.warn({ url }, warning);
  }
}

function openAudit({ auditPath: path }: Config, log: Logger) {
  return path === undefined ? { ...noAudit, reopen() {}, close() {} } : createAuditLog({ path, now: Date.now, log });
}

/** The limits of a process: what they count is kept in memory. */
function edgeOf({ edge }: Config) {
  const { tls, trustedProxies, requestsPerSecond, corsOrigins } = edge;
  const neverRefused = [...parseNetworks('loopback'), ...trustedProxies];
  return {
    limitRequests: createRequestLimit(requestsPerSecond),
    ...(requestsPerSecond !== null && { bodyTime: createBodyTime(() => performance.now()) }),
    limitAddress: createAddressLimit((address) => isWithin(neverRefused, address)),
    corsOrigins,
    tls: tls !== undefined,
  };
}
