import { readdir } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { ObjectStore } from '../../../src/object-store/port.ts';
import { createS3ObjectStore } from '../../../src/object-store/s3.ts';
import { ADMIN } from '../../../src/server/access/auth.ts';
import { newSessionId } from '../../../src/server/core/session-id.ts';
import { sweep } from '../../../src/server/lifecycle/sweeper.ts';
import { isTerminal } from '../../../src/session/machine.ts';
import type { UploadSession } from '../../../src/session/session.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { POLICY } from '../../support/server/control-plane.ts';
import { hashOfObject } from '../../support/store/stored-bytes.ts';
import { BUCKET, type Scene } from './scene.ts';
import { couldNotBegin, type Upload } from './uploading.ts';

export interface Inspection {
  readonly violations: readonly string[];
  /** Results of the sweeps. */
  readonly repaired: number;
  readonly released: number;
  /** Sessions that needed another generation of multipart upload. */
  readonly healed: number;
  /** Folders of unfinished uploads on MinIO's disk, whether it lists them or not. */
  readonly multipartFolders: number;
}

const ROUND_MS = 30 * 60_000;
/** More than one, because the next sweep may have to release what one has repaired. */
const ROUNDS = 3;
const AT_ONCE = 4;
const EVER = Number.MAX_SAFE_INTEGER;

/** Checks what must be true at the end, when the control planes have ended, and MinIO and the database run. */
export async function inspect(uploads: readonly Upload[], scene: Scene): Promise<Inspection> {
  const sessions = await scene.openSessions();
  const objects = createS3ObjectStore({ ...scene.store, publicEndpoint: scene.store.endpoint, bucket: BUCKET });
  try {
    const violations: string[] = [];
    const swept = await sweepAll(sessions, objects, violations);
    const recorded = await allSessions(sessions);
    violations.push(...judgeSessions(uploads, recorded));
    violations.push(...(await judgeObjects(uploads, objects, scene)));
    violations.push(...(await judgeRemains(uploads, sessions)));
    return {
      violations,
      ...swept,
      healed: recorded.filter(({ generation }) => generation > 1).length,
      multipartFolders: await countUploadFolders(scene.multipartFolder),
    };
  } finally {
    objects.close();
    await sessions.close();
  }
}

/** Sweeps as the server does, with a clock by which no request can be running any more. */
async function sweepAll(sessions: SessionStore, objects: ObjectStore, violations: string[]) {
  const done = { repaired: 0, released: 0 };
  const complain = (fields: object, message: string) => {
    const { err, ...rest } = fields as { err?: unknown };
    violations.push(`${message}: ${JSON.stringify(rest)} ${err}`);
  };
  for (let round = 1; round <= ROUNDS; round++) {
    const now = () => Date.now() + round * ROUND_MS;
    const log = { info: () => {}, warn: complain, error: complain };
    const report = await sweep({ sessions, objects, now, newSessionId, policy: POLICY, log, audit: () => {} });
    done.repaired += report.repaired;
    done.released += report.released;
  }
  return done;
}

async function allSessions(sessions: SessionStore): Promise<UploadSession[]> {
  const all: UploadSession[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await sessions.list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    all.push(...page.sessions);
    cursor = page.nextCursor;
  }
  return all;
}

/** Compares what the clients report with what the database records. */
function judgeSessions(uploads: readonly Upload[], recorded: readonly UploadSession[]): string[] {
  const violations: string[] = [];
  for (const { fileName, size, runs } of uploads) {
    const last = runs.at(-1);
    if (last?.exitCode !== 0) violations.push(`${fileName}: not completed, ${last?.code}: ${last?.words}`);
    const seen = new Set(runs.flatMap(({ sessionId }) => sessionId ?? []));
    if (seen.size > 1) violations.push(`${fileName}: its runs had several sessions: ${[...seen].join(', ')}`);
    const own = recorded.filter(({ key }) => key === fileName);
    if (own.length !== 1) violations.push(`${fileName}: ${own.length} sessions`);
    for (const session of own) {
      if (session.status !== 'completed' || session.size !== size) {
        violations.push(`${fileName}: ${session.sessionId} is ${session.status}, with ${session.size} of ${size} bytes`);
      }
    }
  }
  const names = new Set(uploads.map(({ fileName }) => fileName));
  for (const { key, sessionId, status } of recorded) {
    if (!names.has(key)) violations.push(`${sessionId} has a key that no client uploaded: ${key}`);
    if (!isTerminal(status)) violations.push(`${sessionId} is ${status} for ever`);
  }
  return violations;
}

/** Compares the files with the store: reads every object and lists every key. */
async function judgeObjects(uploads: readonly Upload[], objects: ObjectStore, { store }: Scene): Promise<string[]> {
  const limit = pLimit(AT_ONCE);
  const judged = uploads.map(({ fileName, hash }) =>
    limit(async () => {
      const violations: string[] = [];
      const stored = await hashOfObject(store, BUCKET, fileName).catch((error: unknown) => `nothing (${error})`);
      if (stored !== hash) violations.push(`${fileName}: the object is not the file: ${stored} instead of ${hash}`);
      // MinIO lists uploads by exact key only.
      const unfinished = await objects.listMultipartUploads(fileName);
      if (unfinished.length > 0) violations.push(`${fileName}: the store still holds ${unfinished.length} multipart uploads`);
      return violations;
    }),
  );
  return (await Promise.all(judged)).flat();
}

async function judgeRemains(uploads: readonly Upload[], sessions: SessionStore): Promise<string[]> {
  const violations: string[] = [];
  const leftovers = await sessions.leftoverUploads(EVER, 1_000);
  if (leftovers.length > 0) violations.push(`${leftovers.length} uploads are still on record as leftovers`);
  const suspects = await sessions.listOrphanSuspects(EVER, 1_000);
  if (suspects.length > 0) violations.push(`${suspects.length} keys are still suspected of holding an orphan`);
  const settledBytes = uploads.reduce((sum, { size }) => sum + size, 0);
  const expected = JSON.stringify({ openSessions: 0, reservedBytes: 0, settledBytes });
  const { openSessions, reservedBytes, settledBytes: settled } = await sessions.usageOf(ADMIN);
  const counted = JSON.stringify({ openSessions, reservedBytes, settledBytes: settled });
  if (counted !== expected) violations.push(`usage is ${counted} instead of ${expected}`);
  return violations;
}

/** Counts MinIO's folders: one for each key, which contains one for each upload. */
async function countUploadFolders(folder: string): Promise<number> {
  const keys = await readdir(folder).catch(() => []);
  const uploads = await Promise.all(keys.map((key) => readdir(`${folder}/${key}`).catch(() => [])));
  return uploads.flat().length;
}

/** Runs that ended early although their upload had begun. */
export function resumedRuns(uploads: readonly Upload[]) {
  return uploads.flatMap(({ runs }) => runs).filter((run) => run.exitCode !== 0 && !couldNotBegin(run));
}
