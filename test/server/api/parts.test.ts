import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { PartsResponse, PresignResponse, Progress } from '../../../src/contract/wire.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { ControlPlaneBench, SMALL_FILE } from '../../support/server/control-plane.ts';

const PART = 5 * MiB;
const ETAG = '"900150983cd24fb0d6963f7d28e17f72"';

let bench: ControlPlaneBench;
let sessionId: string;
let path: string;
beforeEach(async () => {
  bench = new ControlPlaneBench();
  ({ sessionId } = await bench.create());
  path = `/api/uploads/${sessionId}`;
});

describe('POST /api/uploads/{sessionId}/parts/presign', () => {
  const presign = (body: object) => bench.ask<PresignResponse>('POST', `${path}/parts/presign`, { body });

  it('answers a URL for each part in the order asked, with its bytes, its headers and its end', async () => {
    const { parts } = await presign({ partNumbers: [3, 1], checksums: { 3: 'AAAAAA==' } });
    const expiresAt = '2026-11-23T13:00:00.000Z';
    const url = expect.stringContaining(`uploadId=${(await bench.session(sessionId)).uploadId}`);
    expect(parts).toEqual([
      {
        partNumber: 3,
        method: 'PUT',
        url,
        headers: { 'content-length': '3', 'x-amz-checksum-crc32': 'AAAAAA==' },
        start: 2 * PART,
        end: 2 * PART + 3,
        expiresAt,
      },
      { partNumber: 1, method: 'PUT', url, headers: { 'content-length': String(PART) }, start: 0, end: PART, expiresAt },
    ]);
    expect(parts.map((part) => new URL(part.url).searchParams.get('partNumber'))).toEqual(['3', '1']);
  });

  it('makes no request to the object store', async () => {
    bench.objects.calls.length = 0;
    await presign({ partNumbers: [1, 2, 3] });
    expect(new Set(bench.objects.calls.map((call) => call.method))).toEqual(new Set(['presignPart']));
  });

  it('moves the expiry of the session', async () => {
    bench.clock.advance(60_000);
    await presign({ partNumbers: [1] });
    expect(await bench.session(sessionId)).toMatchObject({ lastActivityAt: bench.clock.at });
  });

  it('records nothing while the last activity is recent: some clients ask for one URL at a time', async () => {
    const before = await bench.session(sessionId);
    bench.clock.advance(9_999);
    await presign({ partNumbers: [1] });
    expect(await bench.session(sessionId)).toEqual(before);
  });

  it('opens a session that a crash left creating', async () => {
    bench.objects.failNext('createMultipartUpload', 'unavailable');
    await bench.askForProblem('POST', '/api/uploads', { body: { fileName: 'b', size: 1 }, headers: { 'idempotency-key': 'k' } });
    const [left] = (await bench.sessions.list({ limit: 1 })).sessions;
    const answer = await bench.ask<PresignResponse>('POST', `/api/uploads/${left?.sessionId}/parts/presign`, {
      body: { partNumbers: [1] },
    });
    expect(answer.parts).toHaveLength(1);
    expect(await bench.session(String(left?.sessionId))).toMatchObject({ status: 'open' });
  });

  it.each<[string, unknown, string[]]>([
    ['no part numbers', {}, ['/partNumbers']],
    ['an empty batch', { partNumbers: [] }, ['/partNumbers']],
    ['a repeated part number', { partNumbers: [1, 2, 1] }, ['/partNumbers']],
    ['part number 0', { partNumbers: [0] }, ['/partNumbers/0']],
    ['part number 10001', { partNumbers: [1, 10_001] }, ['/partNumbers/1']],
    ['a fractional part number', { partNumbers: [1.5] }, ['/partNumbers/0']],
    ['a part number beyond the plan', { partNumbers: [4] }, ['/partNumbers']],
    ['more than 1,000 part numbers', { partNumbers: Array.from({ length: 1_001 }, (_, index) => index + 1) }, ['/partNumbers']],
    ['a checksum that is no CRC32', { partNumbers: [1], checksums: { 1: 'abc' } }, ['/checksums/1']],
    ['a checksum whose base64 has loose bits', { partNumbers: [1], checksums: { 1: 'AAAAAB==' } }, ['/checksums/1']],
    ['a checksum of no part', { partNumbers: [1], checksums: { x: 'AAAAAA==' } }, ['/checksums/x']],
    ['an unknown field', { partNumbers: [1], expires: 7 }, ['']],
  ])('answers 400 with a JSON pointer for %s', async (_, body, pointers) => {
    const problem = await bench.askForProblem('POST', `${path}/parts/presign`, { body });
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(problem.errors?.map((error) => error.pointer)).toEqual(pointers);
  });

  it('answers 409 SESSION_NOT_OPEN after an abort', async () => {
    await bench.ask('DELETE', path);
    const problem = await bench.askForProblem('POST', `${path}/parts/presign`, { body: { partNumbers: [1] } });
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN', sessionStatus: 'aborted' });
  });
});

describe('GET /api/uploads/{sessionId}/parts', () => {
  const list = () => bench.ask<PartsResponse>('GET', `${path}/parts`);

  it('lists parts without a checksum apart, and counts them as missing', async () => {
    const [stored] = await bench.putParts(sessionId, SMALL_FILE, [2]);
    vi.spyOn(bench.objects, 'listParts').mockResolvedValue([
      { partNumber: 1, etag: ETAG, checksum: 'AAAAAA==', size: 1 },
      { partNumber: 2, etag: stored?.etag ?? '', checksum: null, size: PART },
      { partNumber: 4, etag: ETAG, checksum: null, size: PART },
    ]);
    expect(await list()).toMatchObject({
      parts: [],
      missing: [{ first: 1, last: 3 }],
      unproven: [
        { partNumber: 1, size: 1 },
        { partNumber: 2, etag: stored?.etag, checksum: null, size: PART },
      ],
    });
    const problem = await bench.askForProblem('POST', `${path}/complete`, { body: {} });
    expect(problem).toMatchObject({ code: 'PARTS_MISSING', unproven: [{ first: 1, last: 2 }] });
  });

  it('answers what the store holds and what is missing as ranges', async () => {
    const [stored] = await bench.putParts(sessionId, SMALL_FILE, [2]);
    expect(await list()).toEqual({
      sessionId,
      status: 'open',
      storedBytes: PART,
      parts: [{ partNumber: 2, etag: stored?.etag, checksum: stored?.checksum, size: PART }],
      unproven: [],
      generation: 1,
      missing: [
        { first: 1, last: 1 },
        { first: 3, last: 3 },
      ],
    });
  });

  it('replaces what was reported with what the store says', async () => {
    const body = { clientId: 'c', parts: [{ partNumber: 1, etag: ETAG }] };
    expect(await bench.ask('POST', `${path}/report`, { body })).toMatchObject({ storedBytes: PART });
    bench.clock.advance(1);
    expect(await list()).toMatchObject({ storedBytes: 0, missing: [{ first: 1, last: 3 }] });
    expect(await bench.ask('GET', path)).toMatchObject({ storedBytes: 0, partsStored: 0 });
  });

  it('lists a part of a wrong size as missing, not as stored', async () => {
    const { uploadId, key } = await bench.session(sessionId);
    bench.objects.putPart(key, String(uploadId), 1, Buffer.from('too short'));
    expect(await list()).toMatchObject({ storedBytes: 0, parts: [], missing: [{ first: 1, last: 3 }] });
  });

  it('asks the store once for callers of the same moment, and never twice at a time', async () => {
    let underWay = 0;
    const counted = async () => {
      underWay++;
      expect(underWay).toBe(1);
      await Promise.resolve();
      underWay--;
    };
    for (let call = 0; call < 2; call++) bench.objects.beforeNext('listParts', counted);
    await Promise.all([list(), list(), list(), list()]);
    expect(bench.objects.callsOf('listParts')).toHaveLength(1);
    await list();
    expect(bench.objects.callsOf('listParts')).toHaveLength(2);
  });

  it('asks the store again for a caller that arrives during a listing: a part that was stored since is listed', async () => {
    let afterListing = async () => {};
    const late = new ControlPlaneBench({
      aroundObjects: async (method, call) => {
        const answer = await call();
        if (method === 'listParts') await afterListing();
        return answer;
      },
    });
    const session = await late.create();
    const ask = () => late.ask<PartsResponse>('GET', `/api/uploads/${session.sessionId}/parts`);
    let second: Promise<PartsResponse> | undefined;
    afterListing = async () => {
      afterListing = async () => {};
      await late.putParts(session.sessionId, SMALL_FILE, [1]);
      second = ask();
    };
    expect(await ask()).toMatchObject({ parts: [] });
    expect(await second).toMatchObject({ parts: [{ partNumber: 1 }] });
  });

  it('asks the store again after it did not answer', async () => {
    bench.objects.failNext('listParts', 'unavailable');
    const answers = [await Promise.allSettled([list(), list()]), await Promise.allSettled([list()])].flat();
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  });

  it('heals a session whose upload the store has swept, under the same id', async () => {
    await bench.putParts(sessionId, SMALL_FILE, [1]);
    const { uploadId } = await bench.session(sessionId);
    bench.objects.sweepUpload(String(uploadId));
    expect(await list()).toMatchObject({ sessionId, status: 'open', storedBytes: 0, missing: [{ first: 1, last: 3 }] });
    const healed = await bench.session(sessionId);
    expect(healed).toMatchObject({ generation: 2, status: 'open' });
    expect(bench.objects.uploadIds).toEqual([healed.uploadId]);
  });

  it('heals a session whose upload was lost in an interrupted Complete: no error, and the client sends everything again', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const { uploadId } = await bench.session(sessionId);
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    await bench.askForProblem('POST', `${path}/complete`);
    bench.objects.sweepUpload(String(uploadId));
    expect(await list()).toMatchObject({ status: 'open', storedBytes: 0, missing: [{ first: 1, last: 3 }] });
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open', generation: 2 });
  });

  it('opens a session again if an interrupted Complete lost parts, so that they can be sent', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    await bench.askForProblem('POST', `${path}/complete`);
    bench.objects.losePart(String((await bench.session(sessionId)).uploadId), 2);
    expect(await list()).toMatchObject({ status: 'open', missing: [{ first: 2, last: 2 }] });
    await bench.ask('POST', `${path}/parts/presign`, { body: { partNumbers: [2] } });
  });

  it('leaves a session completing if all parts are there, so that the next complete goes on', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    await bench.askForProblem('POST', `${path}/complete`);
    expect(await list()).toMatchObject({ status: 'completing', missing: [] });
  });

  it('does not heal beside a running Complete, whose object may be about to appear', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    let listed: Promise<PartsResponse> | undefined;
    bench.objects.beforeNext('completeMultipartUpload', async () => {
      bench.objects.failNext('listParts', 'upload-missing');
      listed = list();
      await expect.poll(() => bench.objects.callsOf('listParts').length).toBe(2);
    });
    await bench.ask('POST', `${path}/complete`);
    expect(await listed).toMatchObject({ status: 'completed', missing: [] });
    expect(bench.objects.callsOf('createMultipartUpload')).toHaveLength(1);
  });

  it('completes a session whose object turns out to be there', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const { uploadId, key } = await bench.session(sessionId);
    const parts = await bench.objects.listParts(key, String(uploadId));
    const checksum = checksumOf(SMALL_FILE);
    await bench.objects.completeMultipartUpload({ key, uploadId: String(uploadId), parts, checksum, onlyIfAbsent: true });
    expect(await list()).toMatchObject({ status: 'completed', storedBytes: SMALL_FILE.length, missing: [] });
    expect(await bench.ask('GET', path)).toMatchObject({ status: 'completed', checksum });
  });

  it('answers the parts of a completed session from the record', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    await bench.ask('POST', `${path}/complete`);
    bench.objects.calls.length = 0;
    const { parts, missing } = await list();
    expect(parts.map((part) => part.partNumber)).toEqual([1, 2, 3]);
    expect(missing).toEqual([]);
    expect(bench.objects.calls).toEqual([]);
  });

  it('answers 409 SESSION_NOT_OPEN after an abort', async () => {
    await bench.ask('DELETE', path);
    const problem = await bench.askForProblem('GET', `${path}/parts`);
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN', sessionStatus: 'aborted' });
  });
});

describe('POST /api/uploads/{sessionId}/report and the progress', () => {
  const report = (body: object) => bench.ask<Progress>('POST', `${path}/report`, { body: { clientId: 'client-1', ...body } });
  const progress = () => bench.ask<Progress>('GET', `${path}/progress`);

  it('tells stored bytes and bytes in flight apart, and how long it will take', async () => {
    bench.clock.advance(1_000);
    const answer = await report({ parts: [{ partNumber: 1, etag: ETAG }], inFlightBytes: PART, bytesPerSecond: 2 });
    expect(answer).toEqual({
      sessionId,
      status: 'open',
      size: SMALL_FILE.length,
      storedBytes: PART,
      inFlightBytes: PART,
      partsStored: 1,
      partCount: 3,
      bytesPerSecond: 2,
      secondsRemaining: 2,
      updatedAt: '2026-11-23T12:00:01.000Z',
    });
    expect(await progress()).toEqual(answer);
  });

  it('answers the same under /api/upload/{upload_id}/progress', async () => {
    await report({ inFlightBytes: 7 });
    expect(await bench.ask('GET', `/api/upload/${sessionId}/progress`)).toEqual(await progress());
    expect(await bench.askForProblem('GET', '/api/upload/nosuch/progress')).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('shows neither speed nor bytes in flight before the first report', async () => {
    expect(await progress()).toMatchObject({ storedBytes: 0, inFlightBytes: 0, bytesPerSecond: 0, secondsRemaining: null });
  });

  it('drops bytes in flight and speed of a client that is silent for 15 s, and keeps the stored bytes', async () => {
    await report({ parts: [{ partNumber: 2, etag: ETAG }], inFlightBytes: 3, bytesPerSecond: 9 });
    bench.clock.advance(14_999);
    expect(await progress()).toMatchObject({ inFlightBytes: 3, bytesPerSecond: 9 });
    bench.clock.advance(1);
    expect(await progress()).toMatchObject({
      storedBytes: PART,
      inFlightBytes: 0,
      bytesPerSecond: 0,
      secondsRemaining: null,
    });
  });

  it('never shows more bytes than the file has', async () => {
    await report({ parts: [{ partNumber: 1, etag: ETAG }], inFlightBytes: 3 * PART });
    expect(await progress()).toMatchObject({ storedBytes: PART, inFlightBytes: PART + 3 });
  });

  it('counts a part that is reported twice once', async () => {
    await report({ parts: [{ partNumber: 1, etag: ETAG }] });
    expect(await report({ parts: [{ partNumber: 1, etag: ETAG }] })).toMatchObject({ storedBytes: PART, partsStored: 1 });
  });

  it('stops the older of two clients, and records nothing of it', async () => {
    await report({ clientId: 'older' });
    await report({ clientId: 'newer', inFlightBytes: 5 });
    const body = { clientId: 'older', inFlightBytes: 9 };
    expect(await bench.askForProblem('POST', `${path}/report`, { body })).toMatchObject({ status: 409, code: 'CLIENT_REPLACED' });
    expect(await report({ clientId: 'newer', inFlightBytes: 5 })).toMatchObject({ inFlightBytes: 5 });
  });

  it.each<[string, object, string]>([
    ['no client id', { clientId: undefined }, '/clientId'],
    ['a negative number of bytes', { inFlightBytes: -1 }, '/inFlightBytes'],
    ['a fractional number of bytes', { inFlightBytes: 0.5 }, '/inFlightBytes'],
    ['a negative speed', { bytesPerSecond: -1 }, '/bytesPerSecond'],
    ['a part without ETag', { parts: [{ partNumber: 1 }] }, '/parts/0/etag'],
    ['a bad checksum', { parts: [{ partNumber: 1, etag: ETAG, checksum: '?' }] }, '/parts/0/checksum'],
    ['a part beyond the plan', { parts: [{ partNumber: 4, etag: ETAG }] }, '/parts'],
    ['an unknown field', { speed: 1 }, ''],
  ])('answers 400 with a JSON pointer for %s', async (_, change, pointer) => {
    const body = { clientId: 'client-1', ...change };
    const problem = await bench.askForProblem('POST', `${path}/report`, { body });
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST', errors: [{ pointer }] });
  });

  it('takes a report of 10,000 parts', async () => {
    const { sessionId: id } = await bench.create({ key: 'many', size: 10_000 * PART, strategy: 'multipart', partSize: PART });
    const parts = Array.from({ length: 10_000 }, (_, index) => ({ partNumber: index + 1, etag: ETAG, checksum: 'AAAAAA==' }));
    expect(await bench.ask('POST', `/api/uploads/${id}/report`, { body: { clientId: 'c', parts } })).toMatchObject({
      partsStored: 10_000,
      storedBytes: 10_000 * PART,
    });
  });

  it('answers 409 SESSION_NOT_OPEN after an abort, and the progress of an aborted session is nothing', async () => {
    await report({ parts: [{ partNumber: 1, etag: ETAG }], inFlightBytes: 3, bytesPerSecond: 9 });
    await bench.ask('DELETE', path);
    const problem = await bench.askForProblem('POST', `${path}/report`, { body: { clientId: 'client-1' } });
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN' });
    expect(await progress()).toMatchObject({ status: 'aborted', storedBytes: 0, partsStored: 0, inFlightBytes: 0 });
  });

  it('shows a completed session as done', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    await report({ inFlightBytes: 3, bytesPerSecond: 9 });
    await bench.ask('POST', `${path}/complete`);
    expect(await progress()).toMatchObject({
      status: 'completed',
      storedBytes: SMALL_FILE.length,
      partsStored: 3,
      inFlightBytes: 0,
      secondsRemaining: 0,
    });
  });
});
