import { beforeEach, describe, expect, it } from 'vitest';
import type { PartsResponse, Session } from '../../../src/contract/wire.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { ControlPlaneBench, SMALL_FILE } from '../../support/server/control-plane.ts';

let bench: ControlPlaneBench;
let path: string;
let sessionId: string;
beforeEach(async () => {
  bench = new ControlPlaneBench();
  ({ sessionId } = await bench.create());
  path = `/api/uploads/${sessionId}`;
});

describe('POST /api/uploads/{sessionId}/plan', () => {
  const replan = (body: object) => bench.ask<Session>('POST', `${path}/plan`, { body });

  it('cuts the file differently while nothing is stored: same session, next multipart upload', async () => {
    const before = await bench.session(sessionId);
    expect(await replan({ strategy: 'chunked', partSize: 6 * MiB })).toMatchObject({
      sessionId,
      status: 'open',
      strategy: 'chunked',
      partSize: 6 * MiB,
      partCount: Math.ceil(SMALL_FILE.length / (6 * MiB)),
    });
    const after = await bench.session(sessionId);
    expect(after.generation).toBe(before.generation + 1);
    expect(await bench.objects.listMultipartUploads(before.key)).toMatchObject([{ uploadId: after.uploadId }]);
    expect(await bench.ask<PartsResponse>('GET', `${path}/parts`)).toMatchObject({ generation: after.generation, parts: [] });
  });

  it('changes nothing where the session has that plan already', async () => {
    const before = await bench.session(sessionId);
    const { strategy, partSize } = before.plan;
    await replan({ strategy, partSize });
    expect((await bench.session(sessionId)).generation).toBe(before.generation);
  });

  it('is refused once a part is stored, also one that was not reported', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const before = await bench.session(sessionId);
    const problem = await bench.askForProblem('POST', `${path}/plan`, { body: { partSize: 6 * MiB } });
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_PLAN_DIFFERS' });
    expect((await bench.session(sessionId)).plan).toEqual(before.plan);
  });

  it('is refused for parts that S3 does not take', async () => {
    const problem = await bench.askForProblem('POST', `${path}/plan`, { body: { partSize: MiB } });
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_PLAN' });
  });

  it('is refused once the session has ended', async () => {
    await bench.ask('DELETE', path);
    const problem = await bench.askForProblem('POST', `${path}/plan`, { body: { partSize: 6 * MiB } });
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN' });
  });
});
