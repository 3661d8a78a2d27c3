import type { Outbox } from './outbox.ts';
import type { PartRecords } from './parts.ts';
import type { IdempotencyKeys, SessionRecords } from './sessions.ts';
import type { SweepLease, SweepQueries, UploadCleanup } from './sweep.ts';
import type { CapabilityRecords, TokenRecords } from './tokens.ts';
import type { UsageRecords } from './usage.ts';

/** The connection to the database. */
export interface DatabaseConnection {
  /**
   * A cheap check that fails if the session store cannot serve. It writes only if nothing else can tell whether the database can be
   * written again.
   */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The records of upload sessions: the parts of this port together. Users take the part that they need.
 *
 * Every method is atomic: it happens completely or not at all, even if the process is killed, and once its promise resolves it is durable.
 * All sizes are 64-bit. Sessions are never deleted. The session store does not judge transitions (session/machine.ts does), but it rejects
 * an `aborting` session without `endsAs` and a `completed` one without `etag`. Methods that read see everything that resolved before they
 * were called.
 */
export interface SessionStore
  extends SessionRecords,
    IdempotencyKeys,
    PartRecords,
    UsageRecords,
    TokenRecords,
    CapabilityRecords,
    SweepQueries,
    UploadCleanup,
    SweepLease,
    DatabaseConnection {
  /** Events for webhooks, written by each `insert`, and by each `changeStatus` that ends a session. */
  readonly outbox: Outbox;
}
