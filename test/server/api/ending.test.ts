import { beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../../../src/contract/wire.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { ControlPlaneBench, SMALL_FILE, SMALL_FILE_CHECKSUM } from '../../support/server/control-plane.ts';

/** Comparing 10 MiB by toEqual takes a minute. */
const isTheFile = (bytes: Uint8Array | undefined) => bytes !== undefined && SMALL_FILE.equals(bytes);

let bench: ControlPlaneBench;
let sessionId: string;
let path: string;
beforeEach(async () => {
  bench = new ControlPlaneBench();
  ({ sessionId } = await bench.create());
  path = `/api/uploads/${sessionId}`;
});

describe('POST /api/uploads/{sessionId}/complete', () => {
  it('answers the completed session with the checksum of the whole object', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const session: Session = await bench.ask('POST', `${path}/complete`, { body: { checksum: SMALL_FILE_CHECKSUM } });
    expect(session).toMatchObject({
      sessionId,
      status: 'completed',
      checksum: SMALL_FILE_CHECKSUM,
      etag: expect.stringMatching(/^"[0-9a-f]{32}-3"$/),
      storedBytes: SMALL_FILE.length,
      partsStored: 3,
      expiresAt: null,
      partsKeptUntil: null,
    });
    expect(bench.objects.read('film.mkv')).toSatisfy(isTheFile);
  });

  it('answers a repeat the same', async () => {
    const first = await bench.createCompleted({ key: 'twice' });
    expect(await bench.ask('POST', `/api/uploads/${first.sessionId}/complete`)).toEqual(first);
    expect(bench.objects.callsOf('completeMultipartUpload')).toHaveLength(1);
  });

  it('takes the parts with their ETags as S3 users name them, with or without quotes', async () => {
    const stored = await bench.putParts(sessionId, SMALL_FILE);
    const parts = stored.map(({ partNumber, etag }) => ({ partNumber, etag: partNumber === 2 ? etag.slice(1, -1) : etag }));
    expect(await bench.ask('POST', `${path}/complete`, { body: { parts } })).toMatchObject({ status: 'completed' });
  });

  it('answers 409 PARTS_MISSING for a part that is stored with another ETag than the client expects', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const parts = [{ partNumber: 2, etag: '"900150983cd24fb0d6963f7d28e17f72"' }];
    const problem = await bench.askForProblem('POST', `${path}/complete`, { body: { parts } });
    expect(problem).toMatchObject({ status: 409, code: 'PARTS_MISSING', missing: [{ first: 2, last: 2 }] });
  });

  it.each<[string, object, string]>([
    ['a checksum that is no CRC32', { checksum: 'd41d8cd98f00b204e9800998ecf8427e' }, '/checksum'],
    ['an unknown field', { crc: 'AAAAAA==' }, ''],
    ['a part number 0', { parts: [{ partNumber: 0, etag: 'e' }] }, '/parts/0/partNumber'],
  ])('answers 400 with a JSON pointer for %s', async (_, body, pointer) => {
    const problem = await bench.askForProblem('POST', `${path}/complete`, { body });
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST', errors: [{ pointer }] });
  });

  it('does not overlook an expected checksum that comes without the JSON content type', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const headers = { 'content-type': 'text/plain' };
    const body = JSON.stringify({ checksum: checksumOf(Buffer.from('another file')) });
    const problem = await bench.askForProblem('POST', `${path}/complete`, { body, headers });
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open' });
  });

  it('answers 409 SESSION_NOT_OPEN after an abort', async () => {
    await bench.ask('DELETE', path);
    const problem = await bench.askForProblem('POST', `${path}/complete`);
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN', sessionStatus: 'aborted' });
  });
});

describe('DELETE /api/uploads/{sessionId}', () => {
  it('answers the aborted session, and the store holds nothing of it', async () => {
    await bench.putParts(sessionId, SMALL_FILE, [1]);
    const session: Session = await bench.ask('DELETE', path);
    expect(session).toMatchObject({ sessionId, status: 'aborted', storedBytes: 0, expiresAt: null, partsKeptUntil: null });
    expect(bench.objects.uploadIds).toEqual([]);
  });

  it('answers a repeat the same', async () => {
    const first = await bench.ask('DELETE', path);
    expect(await bench.ask('DELETE', path)).toEqual(first);
    expect(bench.objects.callsOf('abortMultipartUpload')).toHaveLength(1);
  });

  it('answers 409 after completion and does not touch the object', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    await bench.ask('POST', `${path}/complete`);
    const problem = await bench.askForProblem('DELETE', path);
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN', sessionStatus: 'completed' });
    expect(bench.objects.read('film.mkv')).toSatisfy(isTheFile);
    expect(bench.objects.callsOf('abortMultipartUpload')).toEqual([]);
  });

  it('answers 409 while a completion is not settled', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    await bench.askForProblem('POST', `${path}/complete`);
    const problem = await bench.askForProblem('DELETE', path);
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_NOT_OPEN', sessionStatus: 'completing' });
    expect(bench.objects.read('film.mkv')).toSatisfy(isTheFile);
  });

  it('keeps the intent when the store does not answer, and a repeat finishes it', async () => {
    bench.objects.failNext('abortMultipartUpload', 'unavailable');
    expect(await bench.askForProblem('DELETE', path)).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' });
    expect(await bench.ask('GET', path)).toMatchObject({ status: 'aborting' });
    expect(await bench.ask('DELETE', path)).toMatchObject({ status: 'aborted' });
  });

  it('aborts once for two requests at the same time', async () => {
    const [first, second] = await Promise.all([bench.send('DELETE', path), bench.send('DELETE', path)]);
    // The request that lost the race gets 409, and asks again.
    expect([200, 409]).toContain(first?.status);
    expect([200, 409]).toContain(second?.status);
    expect(await bench.ask('DELETE', path)).toMatchObject({ status: 'aborted' });
  });
});

describe('GET /api/uploads/{sessionId}/object', () => {
  it('answers what the store says of the object now', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const { etag }: Session = await bench.ask('POST', `${path}/complete`);
    expect(await bench.ask('GET', `${path}/object`)).toEqual({
      sessionId,
      bucket: 'bucket',
      key: 'film.mkv',
      size: SMALL_FILE.length,
      etag,
      checksum: SMALL_FILE_CHECKSUM,
      uploadedBySession: true,
      sinceCompletion: { rewritten: false, sameSize: true, sameChecksum: true },
    });
  });

  it('compares with no record before there is one', async () => {
    bench.objects.putObject('film.mkv', Buffer.from('not ours'));
    expect(await bench.ask('GET', `${path}/object`)).toMatchObject({ sinceCompletion: null });
  });

  it('says that the object was written again since the upload completed, and what is still the same', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    await bench.ask('POST', `${path}/complete`);
    bench.objects.putObject('film.mkv', SMALL_FILE, { 'partway-session': sessionId });
    expect(await bench.ask('GET', `${path}/object`)).toMatchObject({
      sinceCompletion: { rewritten: true, sameSize: true, sameChecksum: false },
    });
  });

  it('says that the object at the key is not the one of the session', async () => {
    bench.objects.putObject('film.mkv', Buffer.from('not ours'));
    expect(await bench.ask('GET', `${path}/object`)).toMatchObject({ size: 8, checksum: null, uploadedBySession: false });
  });

  it('does not call an object of another size its own, whatever id it carries', async () => {
    bench.objects.putObject('film.mkv', Buffer.from('cut off'), { 'partway-session': sessionId });
    expect(await bench.ask('GET', `${path}/object`)).toMatchObject({ size: 7, uploadedBySession: false });
  });

  it('answers 404 OBJECT_NOT_FOUND with the status of the session where there is none', async () => {
    const problem = await bench.askForProblem('GET', `${path}/object`);
    expect(problem).toMatchObject({ status: 404, code: 'OBJECT_NOT_FOUND', sessionStatus: 'open' });
  });
});

describe('a session of another bucket', () => {
  it('is listed, and refused by operations that need the store', async () => {
    const { sessionId: elsewhere } = await bench.create({ key: 'elsewhere' });
    const session = await bench.session(elsewhere);
    await bench.sessions.insert({ ...session, sessionId: 'ses-other-bucket', bucket: 'old-bucket' });
    expect(await bench.ask('GET', '/api/uploads/ses-other-bucket')).toMatchObject({ bucket: 'old-bucket' });
    for (const [method, route] of [
      ['GET', 'object'],
      ['GET', 'parts'],
    ] as const) {
      const problem = await bench.askForProblem(method, `/api/uploads/ses-other-bucket/${route}`);
      expect(problem).toMatchObject({ status: 502, code: 'STORE_REFUSED' });
    }
  });
});
