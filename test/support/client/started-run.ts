import type { EngineEvent, UploadResult } from '../../../src/client/progress/events.ts';
import type { RunUploadOptions } from '../../../src/client/transfer/run-options.ts';
import { runUpload } from '../../../src/client/transfer/upload.ts';

export type EventOf<Type extends EngineEvent['type']> = Extract<EngineEvent, { type: Type }>;

/** One run of the engine that is under way, and what it told so far. */
export interface StartedRun {
  readonly result: Promise<UploadResult>;
  readonly events: EngineEvent[];
  eventsOf<Type extends EngineEvent['type']>(type: Type): EventOf<Type>[];
  /** Resolves with the first event of a type, also one that was before. */
  first<Type extends EngineEvent['type']>(type: Type): Promise<EventOf<Type>>;
}

export function startRun(options: RunUploadOptions): StartedRun {
  const events: EngineEvent[] = [];
  const waiting = new Set<(event: EngineEvent) => void>();
  const result = runUpload({
    ...options,
    onEvent: (event) => {
      events.push(event);
      for (const tell of waiting) tell(event);
      options.onEvent?.(event);
    },
  });
  // Looked at when the test comes to it.
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
        const tell = (event: EngineEvent) => {
          if (isOf(type)(event)) resolve(event);
        };
        for (const event of events) tell(event);
        waiting.add(tell);
      }),
  };
}
