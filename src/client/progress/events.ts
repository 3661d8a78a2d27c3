import type { Session } from '../../contract/wire.ts';

/** Codes of notices about the way to the store. Stable: programs branch on them. */
export type NoticeCode = 'ONE_AT_A_TIME' | 'PARTS_CUT' | 'ANSWERS_CHANGED' | 'STORE_MOVED';

/** Bytes, counts and speed of a running upload. */
export interface ProgressFigures {
  readonly size: number;
  /** Bytes that the object store acknowledged. Never decreases, except when the store itself lost parts (`healed`). */
  readonly storedBytes: number;
  /** Bytes handed to sockets for parts that are not stored yet. */
  readonly inFlightBytes: number;
  readonly partsStored: number;
  readonly partCount: number;
  /** Over the last 10 s at most, and never across the beginning or end of an outage or a pause; 0 while nothing moves. */
  readonly bytesPerSecond: number;
  /** Bytes that this run handed to sockets, repeats included, per second. Excludes time offline or paused, and the bytes sent then. */
  readonly averageBytesPerSecond: number;
  /** Null while nothing moves, while paused, while something cannot be reached, or while attempts fail and no part gets through; 0 when nothing is left to send. */
  readonly secondsRemaining: number | null;
  /** Attempts at parts that failed and were followed by another. */
  readonly retries: number;
  /**
   * Total time in milliseconds during which the object store or the partway server was needed and could not be reached, or could not
   * serve: the union of all `offline`…`online` intervals, including the current one. Never decreases.
   */
  readonly offlineMs: number;
  /**
   * Bytes handed to sockets in vain: by attempts that ended without a stored part, and for parts that the store lost again.
   * The bytes that this run sent are those that it stored, those in flight, and these. Never decreases.
   */
  readonly wastedBytes: number;
}

/** The events of a running engine. The engine never prints; reporters do. */
export type EngineEvent =
  | { readonly type: 'session'; readonly session: Session }
  | ({ readonly type: 'progress' } & ProgressFigures)
  /** A part is stored now. `checksum` is the base64 CRC32 of its bytes. */
  | {
      readonly type: 'part';
      readonly partNumber: number;
      readonly etag: string;
      readonly checksum: string;
      readonly size: number;
    }
  | { readonly type: 'retry'; readonly partNumber: number; readonly attempt: number; readonly reason: string }
  /**
   * `what` cannot be reached, or answers that it cannot serve now (`refuses`), or can be reached and yet no part gets through
   * (`blocked`). Nothing is lost, and the engine tries again.
   */
  | {
      readonly type: 'offline';
      readonly what: string;
      readonly refuses?: true;
      readonly blocked?: true;
      /** Wall-clock time at which the outage began. */
      readonly since: number;
      readonly reason: string;
      readonly nextTryInMs: number;
    }
  | { readonly type: 'online'; readonly what: string; readonly outageMs: number }
  /** Stored parts are being compared with the file. */
  | { readonly type: 'verifying'; readonly verifiedBytes: number; readonly totalBytes: number }
  /**
   * Earlier readings of the file are no longer valid, so its parts are read again and compared before the upload completes.
   * `no-change-time`: the file system keeps no reliable change time. `times-changed`: the times of the file differ from before.
   */
  | { readonly type: 'rereading'; readonly reason: 'no-change-time' | 'times-changed' }
  /** The store lost parts; they are sent again under the same session. */
  | { readonly type: 'healed'; readonly lostBytes: number }
  /** Parts did not get through and none was stored, so the file is cut into smaller ones: the session has another plan from here on. */
  | { readonly type: 'replanned'; readonly session: Session; readonly reason: string }
  /** Something on the way to the store that people should know; sent once for each code. `message` says what helps. */
  | { readonly type: 'notice'; readonly code: NoticeCode; readonly message: string }
  /** All parts are stored; the store assembles the object. */
  | { readonly type: 'finishing' }
  | ControlEvent;

/** The run's `UploadControl` was used. */
export type ControlEvent =
  /** No new part begins; those on the wire are sent to their end. */
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  /** Null is no limit. */
  | { readonly type: 'limit'; readonly bytesPerSecond: number | null };

export interface UploadResult {
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  readonly status: 'completed';
  /** Size of the object. */
  readonly bytes: number;
  /** Body bytes that this run put on the wire, repeats included. */
  readonly bytesSent: number;
  /** From the first request to the last answer, including time offline and excluding time that the host slept. */
  readonly seconds: number;
  /** Like the next three, as in `ProgressFigures`. */
  readonly averageBytesPerSecond: number;
  readonly retries: number;
  readonly offlineSeconds: number;
  readonly wastedBytes: number;
  readonly etag: string;
  /** Base64 CRC32 of the whole object, as the store has it. */
  readonly checksum: string;
  /**
   * `full`: every part of the object has the CRC32 of these bytes of the source, which were read by this run or by an earlier
   * one that the caller vouches for. `partial`: for `unprovenBytes` there is only the checksum that the store lists (`verifyResume`).
   */
  readonly proof: 'full' | 'partial';
  /** Bytes of the object that were never compared with the source; 0 where the proof is full. */
  readonly unprovenBytes: number;
}

/** The totals of a run, whether it succeeded or failed. */
export type RunTotals = Pick<
  UploadResult,
  'bytesSent' | 'seconds' | 'averageBytesPerSecond' | 'retries' | 'offlineSeconds' | 'wastedBytes'
>;
