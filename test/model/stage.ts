import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { CompleteInput } from '../../src/object-store/port.ts';
import type { Strategy } from '../../src/session/strategy.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { seededBytes } from '../support/client/sources.ts';
import { type FaultProxy, type SeenRequest, startFaultProxy } from '../support/proxies/fault-proxy.ts';
import {
  answers,
  closesAfter,
  type Fault,
  type Gate,
  holdsAnswer,
  losesAnswer,
  resetsAfter,
  stallsAfter,
} from '../support/proxies/faults.ts';
import { CALL_ANSWERS, PART_ANSWERS } from './answers.ts';
import { ChangingFile } from './changing-file.ts';
import { Ledger } from './ledger.ts';
import { ModelServer } from './model-server.ts';
import type { ModelStore } from './model-store.ts';
import { Moments } from './moments.ts';
import { type CallFault, changesUnseen, type PartFault, type Route, type Schedule } from './schedule.ts';

/** The sizes, times and store with which schedules are played. */
export interface Setting {
  readonly partSize: number;
  /** The client reads its file in pieces of this many bytes. */
  readonly pieceSize: number;
  /** The client gives up a PUT in which nothing moves for this long. */
  readonly stallMs: number;
  readonly openStore: () => Promise<ModelStore>;
}

/** A file, a store, a control plane, and the faults of a schedule on the paths between them. */
export interface Stage {
  readonly key: string;
  readonly file: ChangingFile;
  readonly ledger: Ledger;
  readonly moments: Moments;
  readonly clock: { offsetMs: number };
  readonly store: ModelStore;
  readonly sessions: SessionStore;
  readonly server: ModelServer;
  readonly toStore: FaultProxy;
  readonly toServer: FaultProxy;
  /** Removes all faults: from here on everything works. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** Short enough that a client does not give up when it sends several parts at the same time. */
const SLOW_PART_MS = 150;

export async function setUp(schedule: Schedule, setting: Setting): Promise<Stage> {
  const key = `file-${randomUUID()}`;
  const file = aFile(key, schedule, setting);
  const moments = new Moments();
  const ledger = new Ledger(moments.tell);
  const clock = { offsetMs: 0 };
  const now = () => Date.now() + clock.offsetMs;
  const store = await setting.openStore();
  const toStore = await startFaultProxy(store.endpoint, ledger);
  if (schedule.slowLink) toStore.link.bytesPerSecond = (setting.partSize * 1_000) / SLOW_PART_MS;
  const completing = new Set<string>();
  const objects = store.connect(toStore.url, now, () => {
    // A store that is killed during Complete may have lost any part of the upload.
    for (const uploadId of completing) ledger.lost(uploadId);
  });
  const sessions = withParts(openSqliteStore(':memory:'), setting.partSize, schedule.strategy);
  const server = await ModelServer.start({
    sessions,
    objects,
    now,
    storeFaults: schedule.storeFaults,
    onStoreCall: (method, state, [input]) => {
      if (method !== 'completeMultipartUpload') return;
      const { uploadId } = input as CompleteInput;
      if (state === 'over') completing.delete(uploadId);
      else {
        completing.add(uploadId);
        moments.tell('complete asked');
      }
    },
    onBug: (what) => ledger.violations.push(what),
  });
  const toServer = await startFaultProxy(server.url);
  const rules = [
    ...schedule.partFaults.map((fault) => toStore.inject(partFault(fault, setting), isPut(fault))),
    ...schedule.callFaults.map((fault) => toServer.inject(callFault(fault), isCall(fault))),
  ];
  return {
    key,
    file,
    ledger,
    moments,
    clock,
    store,
    sessions,
    server,
    toStore,
    toServer,
    async mend() {
      for (const rule of rules) rule.remove();
      server.spare();
      await store.spare();
      toStore.link.bytesPerSecond = undefined;
      await Promise.all([toStore.link.restore(), toServer.link.restore()]);
    },
    async close() {
      await Promise.all([toStore.close(), toServer.close()]);
      await server.close();
      await store.close();
      await sessions.close();
    },
  };
}

function aFile(key: string, schedule: Schedule, { partSize, pieceSize }: Setting): ChangingFile {
  const { file, strategy } = schedule;
  const parts = strategy === 'single' ? 1 : file.parts;
  const size = (parts - 1) * partSize + Math.ceil((partSize * file.lastPartPercent) / 100);
  const changeAt = Math.floor((size * file.changeAtPercent) / 100);
  return new ChangingFile({
    name: key,
    original: seededBytes(size, file.seed),
    changeAt,
    pieceSize,
    hasChangeTime: !changesUnseen(schedule),
  });
}

/**
 * Wraps a session store so that new sessions get parts of `partSize`: the wire allows no parts below S3's 5 MiB, but the session store
 * accepts any plan.
 */
export function withParts(sessions: SessionStore, partSize: number, strategy?: Strategy): SessionStore {
  const insert: SessionStore['insert'] = (session, ...conditions) => {
    const wanted = strategy ?? session.plan.strategy;
    const plan =
      wanted === 'single'
        ? { strategy: wanted, partSize: session.size, partCount: 1 }
        : { strategy: wanted, partSize, partCount: Math.ceil(session.size / partSize) };
    return sessions.insert({ ...session, plan }, ...conditions);
  };
  return new Proxy(sessions, {
    get(target, property) {
      if (property === 'insert') return insert;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const isPut = (fault: PartFault) => (request: SeenRequest) =>
  request.method === 'PUT' && request.partNumber === fault.part && request.attempt === fault.attempt;

/** Returns a gate that opens by itself, after a client has given up a socket in which nothing moves. A client waits longer for an answer. */
function aLateGate({ stallMs }: Setting): Gate {
  return {
    get opened() {
      return wait(2 * stallMs);
    },
    open: () => {},
  };
}

function partFault({ fault }: PartFault, setting: Setting): Fault {
  const { partSize } = setting;
  const gate = aLateGate(setting);
  const bytes = 'afterPercent' in fault ? Math.floor((partSize * fault.afterPercent) / 100) : 0;
  switch (fault.kind) {
    case 'reset':
      return resetsAfter(bytes);
    case 'close':
      return closesAfter(bytes);
    case 'stall':
      return stallsAfter(bytes, gate);
    case 'lose answer':
      return losesAnswer;
    case 'hold answer':
      return holdsAnswer(gate);
    case 'answer':
      return answers(PART_ANSWERS[fault.answer].answer);
  }
}

const ENDS_OF_PATHS: Readonly<Record<Route, RegExp>> = {
  create: /^POST \/api\/uploads$/,
  get: /^GET \/api\/uploads\/[^/]+$/,
  parts: /^GET .*\/parts$/,
  presign: /^POST .*\/presign$/,
  report: /^POST .*\/report$/,
  complete: /^POST .*\/complete$/,
};

const isCall = (fault: CallFault) => (request: SeenRequest) =>
  request.attempt === fault.attempt && ENDS_OF_PATHS[fault.route].test(`${request.method} ${request.path}`);

function callFault({ fault }: CallFault): Fault {
  if (fault === 'lose answer') return losesAnswer;
  return fault === 'reset' ? resetsAfter(0) : answers(CALL_ANSWERS[fault].answer);
}
