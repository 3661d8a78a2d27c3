import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningMinio, startMinio } from '../../src/dev/minio/minio.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { playMany, UNHURRIED_MS } from './lanes.ts';
import { shareMinio } from './minio-store.ts';
import type { Schedule } from './schedule.ts';

/** All 48 schedules take about 60 s on two idle cores, most of it waiting; six schedules share the MinIO at any time. */
const LANES = { lanes: 6, schedulesInLane: 8, fewestInLane: 1, enoughMs: 120_000 };

/** One client's part arrives while another client completes: MinIO may keep the part and list the completed upload again. */
const PART_ARRIVES_IN_COMPLETE: Schedule = {
  file: { parts: 2, lastPartPercent: 1, seed: 0, changeAtPercent: 0 },
  strategy: 'multipart',
  slowLink: true,
  partFaults: [],
  callFaults: [],
  storeFaults: [{ method: 'createMultipartUpload', attempt: 1, failure: 'unavailable', afterEffect: true }],
  acts: [{ act: 'start client', by: 'id', journal: false, when: { moment: 'put began', times: 0 } }],
  ending: 'finish',
};

describe('an upload to a real MinIO', () => {
  let minio: RunningMinio;
  beforeAll(async () => {
    // Not the shared MinIO, because schedules kill it.
    minio = await startMinio({ log: () => {}, bucket: 'model' });
  });
  afterAll(() => minio.stop());

  it('results in the whole object or in none, under every schedule of faults', { timeout: UNHURRIED_MS }, async () => {
    const setting = { partSize: 5 * MiB, pieceSize: 256 * 1024, stallMs: 2_000, openStore: shareMinio(minio, 'model') };
    const played = await playMany(LANES, setting, { mostParts: 4, losesParts: false }, [PART_ARRIVES_IN_COMPLETE]);
    expect(played).toBeGreaterThanOrEqual(process.env.PARTWAY_TEST_PATH === undefined ? LANES.lanes * LANES.fewestInLane : 1);
  });
});
