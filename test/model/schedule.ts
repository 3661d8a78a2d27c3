import * as fc from 'fast-check';
import type { ObjectStoreFailure } from '../../src/object-store/port.ts';
import type { ErrorCode } from '../../src/session/errors.ts';
import type { ObjectStoreMethod } from '../support/store/fake-object-store.ts';
import { CALL_ANSWERS, type CallAnswer, PART_ANSWERS, type PartAnswer } from './answers.ts';

/** Everything that happens to one upload. It is plain data, so that a failing schedule can be printed and shrunk. */
export interface Schedule {
  readonly file: {
    readonly parts: number;
    readonly lastPartPercent: number;
    readonly seed: number;
    readonly changeAtPercent: number;
  };
  readonly strategy: 'chunked' | 'multipart' | 'single';
  /** Slows each part down, so that acts and reports of clients happen while it is sent. */
  readonly slowLink: boolean;
  readonly partFaults: readonly PartFault[];
  readonly callFaults: readonly CallFault[];
  readonly storeFaults: readonly StoreFault[];
  /** Played one after another, each when its moment has come. */
  readonly acts: readonly (Act & { readonly when: When })[];
  readonly ending: 'finish' | 'abort' | 'expire';
}

/** A fault on the path from the client to the store. */
export interface PartFault {
  readonly part: number;
  /** The number of the PUT among all of the part, from 1, whichever client sends it. */
  readonly attempt: number;
  readonly fault:
    | { readonly kind: 'reset' | 'close' | 'stall'; readonly afterPercent: number }
    | { readonly kind: 'lose answer' | 'hold answer' }
    | { readonly kind: 'answer'; readonly answer: PartAnswer };
}

/** A fault on the path from the client to the control plane. */
export interface CallFault {
  readonly route: Route;
  readonly attempt: number;
  readonly fault: 'lose answer' | 'reset' | CallAnswer;
}
export type Route = 'create' | 'get' | 'parts' | 'presign' | 'report' | 'complete';

/** A failed call of the control plane to the store. */
export interface StoreFault {
  readonly method: ObjectStoreMethod;
  readonly attempt: number;
  readonly failure: ObjectStoreFailure;
  /** Whether the store performed the call, and only its answer was lost. */
  readonly afterEffect: boolean;
}

/** The moment for an act: after it has come `times` times since the previous act, or once no running client can bring it any more. */
export interface When {
  readonly moment: 'put began' | 'put stored' | 'complete asked';
  readonly times: number;
}

export type Act =
  /** Starts another client, even if one runs. By `file`, it finds the session through its file, as a repeated `upload` does. */
  | { readonly act: 'start client'; readonly by: 'id' | 'file'; readonly journal: boolean }
  | { readonly act: 'kill client'; readonly which: 'oldest' | 'newest' }
  | { readonly act: 'kill server' | 'kill store'; readonly downMs: number }
  | { readonly act: 'lose upload' }
  | { readonly act: 'lose part'; readonly part: number }
  | { readonly act: 'change file' | 'restore file'; readonly seen: boolean }
  | { readonly act: 'sweep' | 'abort' }
  | { readonly act: 'time passes'; readonly minutes: number }
  | {
      readonly act: 'break link';
      readonly to: 'store' | 'server';
      readonly how: 'reset' | 'freeze' | 'freeze for good';
      readonly ms: number;
    };

export interface Limits {
  readonly mostParts: number;
  /** Whether schedules may make the store lose a single part. */
  readonly losesParts: boolean;
}

const ROUTES: readonly Route[] = ['create', 'get', 'parts', 'presign', 'report', 'complete'];

/** Generates ordinary objects, so that a failing schedule is printed legibly. */
function record<Result>(model: { [Name in keyof Result]: fc.Arbitrary<Result[Name]> }): fc.Arbitrary<Result> {
  return fc.record<Result>(model, { noNullPrototype: true }) as fc.Arbitrary<Result>;
}

const attempt = fc.integer({ min: 1, max: 3 });
const percent = fc.integer({ min: 0, max: 100 });
const names = <Name extends string>(of: Readonly<Record<Name, unknown>>) => fc.constantFrom(...(Object.keys(of) as Name[]));

const partFault: fc.Arbitrary<PartFault['fault']> = fc.oneof(
  { weight: 3, arbitrary: record({ kind: fc.constantFrom('reset', 'close', 'stall'), afterPercent: percent }) },
  { weight: 3, arbitrary: record({ kind: fc.constantFrom('lose answer', 'hold answer') }) },
  { weight: 2, arbitrary: record({ kind: fc.constant('answer'), answer: names(PART_ANSWERS) }) },
);

const callFault = record<CallFault>({
  route: fc.constantFrom(...ROUTES),
  attempt,
  fault: fc.oneof(
    fc.constantFrom('lose answer', 'reset'),
    // A client does not repeat a report because of its answer, so wrong answers matter only for the other routes.
    names(CALL_ANSWERS),
  ),
});

const storeFault: fc.Arbitrary<StoreFault> = fc.oneof(
  record({
    method: fc.constantFrom<ObjectStoreMethod>(
      'createMultipartUpload',
      'listParts',
      'completeMultipartUpload',
      'abortMultipartUpload',
      'headObject',
    ),
    attempt,
    failure: fc.constant('unavailable'),
    afterEffect: fc.boolean(),
  }),
  record({
    method: fc.constant('completeMultipartUpload'),
    attempt,
    failure: fc.constantFrom('part-invalid', 'full', 'refused'),
    afterEffect: fc.constant(false),
  }),
);

/** No 'freeze for good' for the server: such a call ends only after its time-out of 20 s, which is too long for a schedule. */
const BREAKS = [
  { to: 'store', how: 'reset' },
  { to: 'store', how: 'freeze' },
  { to: 'store', how: 'freeze for good' },
  { to: 'server', how: 'reset' },
  { to: 'server', how: 'freeze' },
] as const;

function act({ mostParts, losesParts }: Limits): fc.Arbitrary<Act> {
  const downMs = fc.integer({ min: 0, max: 400 });
  return fc.oneof(
    {
      weight: 5,
      arbitrary: record({ act: fc.constant('start client'), by: fc.constantFrom('id', 'file'), journal: fc.boolean() }),
    },
    { weight: 3, arbitrary: record({ act: fc.constant('kill client'), which: fc.constantFrom('oldest', 'newest') }) },
    { weight: 3, arbitrary: record({ act: fc.constantFrom('kill server', 'kill store'), downMs }) },
    { weight: 1, arbitrary: record({ act: fc.constant('lose upload') }) },
    ...(losesParts
      ? [{ weight: 1, arbitrary: record({ act: fc.constant('lose part'), part: fc.integer({ min: 1, max: mostParts }) }) }]
      : []),
    { weight: 2, arbitrary: record({ act: fc.constantFrom('change file', 'restore file'), seen: fc.boolean() }) },
    { weight: 2, arbitrary: record({ act: fc.constant('sweep') }) },
    { weight: 1, arbitrary: record({ act: fc.constant('time passes'), minutes: fc.constantFrom(20, 120) }) },
    { weight: 1, arbitrary: record({ act: fc.constant('abort') }) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...BREAKS), fc.integer({ min: 0, max: 600 }))
        .map(([how, ms]) => ({ act: 'break link', ...how, ms })),
    },
  ) as fc.Arbitrary<Act>;
}

const when = record<When>({
  moment: fc.constantFrom('put began', 'put stored', 'complete asked'),
  times: fc.integer({ min: 0, max: 3 }),
});

export function schedule(limits: Limits): fc.Arbitrary<Schedule> {
  return record({
    file: record({
      parts: fc.integer({ min: 1, max: limits.mostParts }),
      lastPartPercent: fc.integer({ min: 1, max: 100 }),
      seed: fc.nat({ max: 1_000_000 }),
      changeAtPercent: fc.integer({ min: 0, max: 99 }),
    }),
    strategy: fc.constantFrom('multipart', 'chunked', 'single'),
    slowLink: fc.boolean(),
    partFaults: fc.uniqueArray(record({ part: fc.integer({ min: 1, max: limits.mostParts }), attempt, fault: partFault }), {
      maxLength: 5,
      selector: (fault) => `${fault.part} ${fault.attempt}`,
    }),
    callFaults: fc.uniqueArray(callFault, { maxLength: 3, selector: (fault) => `${fault.route} ${fault.attempt}` }),
    storeFaults: fc.uniqueArray(storeFault, { maxLength: 3, selector: (fault) => `${fault.method} ${fault.attempt}` }),
    acts: fc.array(
      fc.tuple(act(limits), when).map(([what, moment]) => ({ ...what, when: moment })),
      { maxLength: 5 },
    ),
    ending: fc.constantFrom('finish', 'finish', 'abort', 'expire'),
  });
}

/** Whether the file may change without a trace, as on a file system without change times. Then nothing vouches for its bytes. */
export function changesUnseen({ acts }: Schedule): boolean {
  return acts.some((act) => (act.act === 'change file' || act.act === 'restore file') && !act.seen);
}

/** Returns the codes with which a client may give up under this schedule. If there is none, it must succeed by itself. */
export function codesThatMayEnd({ partFaults, callFaults, storeFaults, acts }: Schedule): ReadonlySet<ErrorCode> {
  const codes = new Set<ErrorCode>();
  const counts = new Map<string, number>();
  const meet = (where: string, { mayEnd }: (typeof PART_ANSWERS)[PartAnswer]) => {
    if (mayEnd === undefined) return;
    const which = `${where} ${mayEnd.code} ${mayEnd.times}`;
    counts.set(which, (counts.get(which) ?? 0) + 1);
    if ((counts.get(which) ?? 0) >= mayEnd.times) codes.add(mayEnd.code);
  };
  for (const { part, fault } of partFaults) if (fault.kind === 'answer') meet(`part ${part}`, PART_ANSWERS[fault.answer]);
  for (const { route, fault } of callFaults) if (fault !== 'lose answer' && fault !== 'reset') meet(route, CALL_ANSWERS[fault]);
  for (const { failure } of storeFaults) {
    if (failure === 'full') codes.add('STORE_FULL');
    if (failure === 'refused') codes.add('STORE_REFUSED');
  }
  for (const { act: kind } of acts) for (const code of MAY_END[kind] ?? []) codes.add(code);
  return codes;
}

const MAY_END: Partial<Record<Act['act'], readonly ErrorCode[]>> = {
  'start client': ['CLIENT_REPLACED'],
  'kill client': ['INTERRUPTED'],
  'change file': ['SOURCE_CHANGED', 'CHECKSUM_MISMATCH'],
  // URLs expire, and the store may refuse the new ones as well.
  'time passes': ['PART_REFUSED'],
  abort: ['SESSION_NOT_OPEN'],
};
