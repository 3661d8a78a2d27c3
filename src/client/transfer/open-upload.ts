import type { CreateRequest, Session } from '../../contract/wire.ts';
import { isUploadError } from '../../session/errors.ts';
import type { Strategy } from '../../session/strategy.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { createServerWait } from '../control-plane/server-wait.ts';
import type { EngineEvent } from '../progress/events.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { fingerprint } from '../source/fingerprint.ts';
import { checkNameAndSize, fileNameOf } from './name-and-size.ts';

export interface OpenUploadOptions {
  readonly controlPlane: ControlPlane;
  readonly source: ByteSource;
  /** `strategy` and `partSize` here are asked for by a person: an open session with another plan is an error. */
  readonly request?: Omit<CreateRequest, 'fileName' | 'size' | 'fingerprint'>;
  /** The strategy that size and network suggest. Gives way to the plan of a session that has stored parts. */
  readonly preferredStrategy?: Strategy | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Give up after this long without any answer from the server; default 24 h. */
  readonly maxOutageMs?: number | undefined;
  /** Receives `offline` and `online` while the server is waited for. */
  readonly onEvent?: ((event: EngineEvent) => void) | undefined;
}

/** Creates the session of a source, or finds the one it has. Nothing is sent yet: `runUpload` does that. */
export async function openUpload(options: OpenUploadOptions): Promise<{ session: Session; created: boolean }> {
  const { controlPlane, source, request = {}, preferredStrategy, signal = new AbortController().signal } = options;
  checkNameAndSize(source, request);
  const { size } = source;
  const create: CreateRequest = {
    ...request,
    fileName: fileNameOf(source, request),
    size,
    fingerprint: await fingerprint(source),
  };
  const untilAnswered = createServerWait({ ...options, signal });
  const open = (wanted: CreateRequest) => {
    // Repeats of one call create one upload, even if the answer to the first got lost.
    const call = { idempotencyKey: crypto.randomUUID(), signal };
    return untilAnswered(() => controlPlane.create(wanted, call));
  };
  if (create.strategy !== undefined || create.partSize !== undefined || preferredStrategy === undefined) return open(create);
  try {
    return await open({ ...create, strategy: preferredStrategy });
  } catch (error) {
    if (!isUploadError(error, 'SESSION_PLAN_DIFFERS')) throw error;
    return open(create);
  }
}
