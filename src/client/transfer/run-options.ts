import type { Session } from '../../contract/wire.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import type { UploadControl } from '../flow/upload-control.ts';
import type { EngineEvent } from '../progress/events.ts';
import type { ByteSource } from '../source/byte-source.ts';
import type { VerifyResume } from '../source/verify-resume.ts';

export interface RunUploadOptions {
  readonly controlPlane: ControlPlane;
  /** In any status; a completed session is compared with the source and nothing is sent. */
  readonly session: Session;
  readonly source: ByteSource;
  /** Most parts in flight, 1 to 16. Multipart adapts below it. */
  readonly concurrency?: number | undefined;
  /**
   * CRC32 (base64) by part number, of parts of exactly this source that the caller read before. They are not read again, unless
   * the source has no change time or other times than when it was opened.
   */
  readonly knownChecksums?: ReadonlyMap<number, string> | undefined;
  /**
   * How much of what an earlier run stored is read again, to prove that it belongs to this source; default `full`. Parts in
   * `knownChecksums` are compared in any case. With `sample` (see `partsToRead`) and `none` the result may say `proof: 'partial'`.
   */
  readonly verifyResume?: VerifyResume | undefined;
  /** Give up after this long without any answer; default 24 h. */
  readonly maxOutageMs?: number | undefined;
  /** Cut a part when its socket takes no byte for this long; default 45 s. */
  readonly stallMs?: number | undefined;
  /** Pauses, continues and limits the run while it goes on. By default neither paused nor limited. */
  readonly control?: UploadControl | undefined;
  /** Interrupts: nothing new begins, parts under way have `drainMs` to finish. Nothing is aborted remotely. */
  readonly signal?: AbortSignal | undefined;
  /** Default 5 s. */
  readonly drainMs?: number | undefined;
  readonly onEvent?: ((event: EngineEvent) => void) | undefined;
}
