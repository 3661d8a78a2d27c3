import type { Session } from '../contract/wire.ts';

/** Bytes, counts and speed of a running upload, as honest as they can be had. */
export interface ProgressFigures {
  readonly size: number;
  /** Bytes that the object store acknowledged. Never decreases, except when the store itself lost parts (`healed`). */
  readonly storedBytes: number;
  /** Bytes handed to sockets for parts that are not stored yet. */
  readonly inFlightBytes: number;
  readonly partsStored: number;
  readonly partCount: number;
  /** Over the last seconds; 0 while nothing moves. */
  readonly bytesPerSecond: number;
  /** Null while the speed is not known. */
  readonly secondsRemaining: number | null;
}

/** What the engine tells while it works. It never prints; reporters do. */
export type UploadEvent =
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
  /** `what` cannot be reached; nothing is lost, the engine asks again every few seconds. */
  | {
      readonly type: 'offline';
      readonly what: string;
      readonly since: number;
      readonly reason: string;
      readonly nextTryInMs: number;
    }
  | { readonly type: 'online'; readonly what: string; readonly outageMs: number }
  /** Stored parts are being compared with the file. */
  | { readonly type: 'verifying'; readonly verifiedBytes: number; readonly totalBytes: number }
  /** The store lost parts; they are sent again under the same session. */
  | { readonly type: 'healed'; readonly lostBytes: number }
  /** All parts are stored; the store assembles the object. */
  | { readonly type: 'finishing' };

export interface UploadResult {
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  readonly status: 'completed';
  /** Size of the object. */
  readonly bytes: number;
  /** Body bytes that this run put on the wire, repeats included. */
  readonly bytesSent: number;
  readonly seconds: number;
  readonly etag: string;
  /** Base64 CRC32 of the whole object. */
  readonly checksum: string;
}
