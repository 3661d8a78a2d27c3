import type { EngineEvent, UploadResult } from '../../../src/client/progress/events.ts';
import type { RunUploadOptions } from '../../../src/client/transfer/run-options.ts';
import { runUpload } from '../../../src/client/transfer/upload.ts';

export type EventOf<Type extends EngineEvent['type']> = Extract<EngineEvent, { type: Type }>;

/** A run of the engine that is in progress, and the events that it has emitted so far. */
export interface StartedRun {
  readonly result: Promise<UploadResult>;
  readonly events: EngineEvent[];
  eventsOf<Type extends EngineEvent['type']>(type: Type): EventOf<Type>[];
  /** Resolves with the first event of a type, past or future. */
  first<Type extends EngineEvent['type']>(type: Type): Promise<EventOf<Type>>;
}

export function startRun(options: RunUploadOptions): StartedRun {
  const events: EngineEvent[] = [];
  const waiting = new Set<(event: EngineEvent) => void>();
  const result = runUpload({
    ...options,
    onEvent: (event) => {
      events.push(event);
      for (const notify of waiting) notify(event);
      options.onEvent?.(event);
    },
  });
  // The test handles the rejection when it awaits the result.
  result.catch(() => {});
  const isOf =
    <Type extends EngineEvent['type']>(type: Type) =>
    (event: EngineEvent): event is EventOf<Type> =>
      event.type === type;
  return {
    result,
    events,
    eventsOf: (type) => events.filter(isOf(type)),
    first: (type) =>
      new Promise((resolve) => {
        const notify = (event: EngineEvent) => {
          if (isOf(type)(event)) resolve(event);
        };
        for (const event of events) notify(event);
        waiting.add(notify);
      }),
  };
}
