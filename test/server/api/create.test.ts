import { beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../../../src/contract/wire.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { NOON } from '../../support/database/sessions.ts';
import { ControlPlaneBench, POLICY, readProblem, SMALL_FILE, SMALL_FILE_REQUEST } from '../../support/server/control-plane.ts';

let bench: ControlPlaneBench;
beforeEach(() => {
  bench = new ControlPlaneBench();
});

const post = (body: unknown, headers?: Record<string, string>) =>
  bench.send('POST', '/api/uploads', { body, ...(headers && { headers }) });
const refusal = async (body: unknown, headers?: Record<string, string>) => readProblem(await post(body, headers));

describe('POST /api/uploads', () => {
  it('answers 201 and the whole session for a name and a size', async () => {
    const response = await post({ fileName: 'notes.txt', size: 12 });
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({
      sessionId: expect.any(String),
      status: 'open',
      bucket: 'bucket',
      key: 'notes.txt',
      fileName: 'notes.txt',
      size: 12,
      strategy: 'single',
      partSize: 12,
      partCount: 1,
      storedBytes: 0,
      partsStored: 0,
      etag: null,
      checksum: null,
      createdAt: '2026-11-23T12:00:00.000Z',
      expiresAt: new Date(NOON + POLICY.sessionTtlMs).toISOString(),
      partsKeptUntil: new Date(NOON + POLICY.staleUploadsExpiryMs).toISOString(),
    });
  });

  it('takes every optional field, and keeps what the object gets', async () => {
    const session = await bench.create({
      key: 'films/a film.mkv',
      contentType: 'video/x-matroska; charset="utf-8"',
      metadata: { Camera: 'Kamera Größe 7' },
      fingerprint: 'v1:abc',
      overwrite: true,
    });
    expect(session).toMatchObject({ key: 'films/a film.mkv', strategy: 'chunked', partSize: 5 * MiB, partCount: 3 });
    expect(await bench.session(session.sessionId)).toMatchObject({
      owner: 'admin',
      contentType: 'video/x-matroska; charset="utf-8"',
      metadata: { Camera: 'Kamera Größe 7' },
      overwrite: true,
    });
  });

  it('plans a file of 0 bytes as one part of 0 bytes', async () => {
    expect(await bench.ask('POST', '/api/uploads', { body: { fileName: 'empty', size: 0 } })).toMatchObject({
      size: 0,
      strategy: 'single',
      partSize: 0,
      partCount: 1,
    });
  });

  it.each<[string, object, string]>([
    ['no size', { fileName: 'a' }, '/size'],
    ['no name', { size: 1 }, '/fileName'],
    ['an empty name', { fileName: '', size: 1 }, '/fileName'],
    ['a negative size', { fileName: 'a', size: -1 }, '/size'],
    ['a fractional size', { fileName: 'a', size: 1.5 }, '/size'],
    ['a size as text', { fileName: 'a', size: '1' }, '/size'],
    ['a size beyond what an object may have', { fileName: 'a', size: 5 * 1024 ** 4 + 1 }, '/size'],
    ['a size beyond exact integers', { fileName: 'a', size: 2 ** 60 }, '/size'],
    ['an unknown field', { fileName: 'a', size: 1, filename: 'a' }, ''],
    ['an unknown strategy', { fileName: 'a', size: 1, strategy: 'fast' }, '/strategy'],
    ['a negative part size', { fileName: 'a', size: 1, partSize: -1 }, '/partSize'],
    ['a content type that would split a header', { fileName: 'a', size: 1, contentType: 'text/plain\r\nx: y' }, '/contentType'],
    ['a metadata name that is no header name', { fileName: 'a', size: 1, metadata: { 'a b': 'c' } }, '/metadata/a b'],
    ['a metadata value that is no text', { fileName: 'a', size: 1, metadata: { a: 7 } }, '/metadata/a'],
    ['an empty fingerprint', { fileName: 'a', size: 1, fingerprint: '' }, '/fingerprint'],
    ['overwrite as text', { fileName: 'a', size: 1, overwrite: 'yes' }, '/overwrite'],
  ])('answers 400 with a JSON pointer for %s', async (_, body, pointer) => {
    const problem = await refusal(body);
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(new Set(problem.errors?.map((error) => error.pointer))).toEqual(new Set([pointer]));
    expect(bench.objects.calls).toEqual([]);
  });

  it('names every fault at once', async () => {
    const problem = await refusal({ fileName: '', size: -1, strategy: 'fast' });
    expect(problem.errors?.map((error) => error.pointer).sort()).toEqual(['/fileName', '/size', '/strategy']);
  });

  it.each([
    ['a leading slash', '/a'],
    ['an empty key', ''],
    ['".."', 'a/../b'],
    ['a segment of 256 bytes', 'é'.repeat(128)],
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud800'],
  ])('answers 400 INVALID_KEY for a key with %s, before anything is made', async (_, key) => {
    expect(await refusal({ fileName: 'a', size: 1, key })).toMatchObject({ status: 400, code: 'INVALID_KEY' });
    expect(bench.objects.calls).toEqual([]);
  });

  it('answers 400 INVALID_PLAN for parts that S3 does not have', async () => {
    expect(await refusal({ ...SMALL_FILE_REQUEST, partSize: 5 * MiB - 1 })).toMatchObject({ status: 400, code: 'INVALID_PLAN' });
    const tooMany = await refusal({ fileName: 'a', size: 5 * 1024 ** 4, strategy: 'multipart', partSize: 5 * MiB });
    expect(tooMany).toMatchObject({ status: 400, code: 'INVALID_PLAN' });
  });

  it('answers 409 OBJECT_EXISTS before any upload is made', async () => {
    bench.objects.putObject('film.mkv', Buffer.from('another film'));
    expect(await refusal(SMALL_FILE_REQUEST)).toMatchObject({ status: 409, code: 'OBJECT_EXISTS' });
    expect(bench.objects.callsOf('createMultipartUpload')).toEqual([]);
    expect((await bench.sessions.list({ limit: 9 })).sessions).toEqual([]);
  });

  it('creates all the same where the object may be overwritten', async () => {
    bench.objects.putObject('film.mkv', Buffer.from('another film'));
    expect(await bench.create({ overwrite: true })).toMatchObject({ status: 'open' });
  });

  it.each([
    ['bucket-missing', 502, 'BUCKET_NOT_FOUND'],
    ['refused', 502, 'STORE_REFUSED'],
    ['full', 507, 'STORE_FULL'],
  ] as const)('ends the unknown session when the store says %s', async (failure, status, code) => {
    bench.objects.failNext('createMultipartUpload', failure);
    expect(await refusal(SMALL_FILE_REQUEST)).toMatchObject({ status, code });
    expect((await bench.sessions.list({ limit: 9 })).sessions).toMatchObject([{ status: 'aborted' }]);
  });
});

describe('an Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k-1' };

  it('answers a repeat with 200 and the same session, also when the fields come in another order', async () => {
    const first = await bench.create({}, key);
    const again = await post(Object.fromEntries(Object.entries(SMALL_FILE_REQUEST).reverse()), key);
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(first);
  });

  it('answers 409 where it comes with another request', async () => {
    await bench.create({}, key);
    const problem = await refusal({ ...SMALL_FILE_REQUEST, fileName: 'other.mkv' }, key);
    expect(problem).toMatchObject({ status: 409, code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('finds the session that a lost answer left half made, and opens it', async () => {
    bench.objects.failNext('createMultipartUpload', 'unavailable');
    expect(await refusal(SMALL_FILE_REQUEST, key)).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' });
    const [left] = (await bench.sessions.list({ limit: 9 })).sessions;
    expect(left).toMatchObject({ status: 'creating' });
    expect(await bench.create({}, key)).toMatchObject({ sessionId: left?.sessionId, status: 'open' });
  });

  it('does not remember a refusal: the same request succeeds when its cause is gone', async () => {
    bench.objects.bucketMissing = true;
    expect(await refusal(SMALL_FILE_REQUEST, key)).toMatchObject({ code: 'BUCKET_NOT_FOUND' });
    bench.objects.bucketMissing = false;
    const again = await post(SMALL_FILE_REQUEST, key);
    expect(again.status).toBe(201);
    expect(await again.json()).toMatchObject({ status: 'open' });
  });

  it('remembers the session that the fingerprint found, so that a repeat gets it in whatever status', async () => {
    const file = { ...SMALL_FILE_REQUEST, fingerprint: 'v1:same-file' };
    const found = await bench.create(file);
    expect(await bench.create(file, key)).toEqual(found);
    await bench.ask('DELETE', `/api/uploads/${found.sessionId}`);
    expect(await bench.create(file, key)).toMatchObject({ sessionId: found.sessionId, status: 'aborted' });
    expect(await refusal({ ...file, fileName: 'other.mkv' }, key)).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('gives two simultaneous requests the same session that the fingerprint finds', async () => {
    const file = { ...SMALL_FILE_REQUEST, fingerprint: 'v1:same-file' };
    const found = await bench.create(file);
    const answers = await Promise.all([bench.create(file, key), bench.create(file, key)]);
    expect(answers).toEqual([found, found]);
  });

  it('makes one session of two requests at the same time', async () => {
    const answers = await Promise.all([bench.create({}, key), bench.create({}, key), bench.create({}, key)]);
    expect(new Set(answers.map((answer) => answer.sessionId)).size).toBe(1);
    expect((await bench.sessions.list({ limit: 9 })).sessions).toHaveLength(1);
  });

  it.each([
    ['empty', ''],
    ['longer than 255 characters', 'k'.repeat(256)],
  ])('is refused when it is %s', async (_, value) => {
    expect(await refusal(SMALL_FILE_REQUEST, { 'idempotency-key': value })).toMatchObject({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  });
});

describe('a fingerprint', () => {
  const fingerprint = 'v1:same-file';

  it('finds the open session of the same file', async () => {
    const first = await bench.create({ fingerprint });
    const again = await post({ ...SMALL_FILE_REQUEST, fingerprint });
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(first);
  });

  it.each([
    ['another key', { key: 'other.mkv' }],
    ['another size', { size: SMALL_FILE.length + 1 }],
    ['another fingerprint', { fingerprint: 'v1:other-file' }],
  ])('does not find a session with %s', async (_, change) => {
    const { sessionId } = await bench.create({ fingerprint });
    expect((await bench.create({ fingerprint, ...change })).sessionId).not.toBe(sessionId);
  });

  it('moves the expiry of the session it finds', async () => {
    const first = await bench.create({ fingerprint });
    bench.clock.advance(3_600_000);
    const again = await bench.create({ fingerprint });
    expect(Date.parse(String(again.expiresAt)) - Date.parse(String(first.expiresAt))).toBe(3_600_000);
  });

  it('opens the session that a crash left creating', async () => {
    bench.objects.failNext('createMultipartUpload', 'unavailable');
    await refusal({ ...SMALL_FILE_REQUEST, fingerprint });
    expect(await bench.create({ fingerprint })).toMatchObject({ status: 'open' });
    expect((await bench.sessions.list({ limit: 9 })).sessions).toHaveLength(1);
  });

  it('makes one session of two requests at the same time', async () => {
    const answers = await Promise.all([bench.create({ fingerprint }), bench.create({ fingerprint })]);
    expect(new Set(answers.map((answer) => answer.sessionId)).size).toBe(1);
    expect(bench.objects.uploadIds).toHaveLength(1);
  });

  it('finds a completed session while its object is there', async () => {
    const completed = await bench.createCompleted({ fingerprint });
    const again = await post({ ...SMALL_FILE_REQUEST, fingerprint });
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(completed);
  });

  it('does not find a completed session whose object was replaced, and says that the key is taken', async () => {
    await bench.createCompleted({ fingerprint });
    bench.objects.putObject('film.mkv', SMALL_FILE);
    expect(await refusal({ ...SMALL_FILE_REQUEST, fingerprint })).toMatchObject({ status: 409, code: 'OBJECT_EXISTS' });
  });

  it('does not find a completed session when the object is to be overwritten', async () => {
    const { sessionId } = await bench.createCompleted({ fingerprint });
    const again = await bench.create({ fingerprint, overwrite: true });
    expect(again).toMatchObject({ status: 'open' });
    expect(again.sessionId).not.toBe(sessionId);
  });

  it('does not find an aborted session', async () => {
    const { sessionId } = await bench.create({ fingerprint });
    await bench.ask('DELETE', `/api/uploads/${sessionId}`);
    expect((await bench.create({ fingerprint })).sessionId).not.toBe(sessionId);
  });

  it("applies the latest request's choice about overwriting", async () => {
    const { sessionId } = await bench.create({ fingerprint });
    await bench.create({ fingerprint, overwrite: true });
    expect(await bench.session(sessionId)).toMatchObject({ overwrite: true });
    await bench.create({ fingerprint });
    expect(await bench.session(sessionId)).toMatchObject({ overwrite: true });
    await bench.create({ fingerprint, overwrite: false });
    expect(await bench.session(sessionId)).toMatchObject({ overwrite: false });
  });
});

describe('another plan for the same file', () => {
  const fingerprint = 'v1:same-file';
  const another = { ...SMALL_FILE_REQUEST, fingerprint, partSize: 6 * MiB };

  it.each<[string, object]>([
    ['another part size', { partSize: 6 * MiB }],
    ['another strategy', { strategy: 'multipart' }],
  ])('is refused with 409 when it asks for %s and parts are stored', async (_, change) => {
    const { sessionId } = await bench.create({ fingerprint });
    await bench.putParts(sessionId, SMALL_FILE, [2]);
    const problem = await refusal({ ...another, partSize: 5 * MiB, ...change });
    expect(problem).toMatchObject({ status: 409, code: 'SESSION_PLAN_DIFFERS', sessionId });
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open', generation: 1, storedBytes: 5 * MiB });
  });

  it('replaces the plan under the same id while nothing is stored, and leaves no upload behind', async () => {
    const { sessionId } = await bench.create({ fingerprint });
    const again: Session = await bench.ask('POST', '/api/uploads', { body: another });
    expect(again).toMatchObject({ sessionId, status: 'open', partSize: 6 * MiB, partCount: 2 });
    expect(await bench.session(sessionId)).toMatchObject({ generation: 2 });
    expect(bench.objects.uploadIds).toEqual([(await bench.session(sessionId)).uploadId]);
  });

  it('is not asked for by a request without strategy and part size: the stored plan wins', async () => {
    const { sessionId } = await bench.create({ fingerprint });
    const { fileName, size } = SMALL_FILE_REQUEST;
    expect(await bench.ask('POST', '/api/uploads', { body: { fileName, size, fingerprint } })).toMatchObject({
      sessionId,
      strategy: 'chunked',
      partCount: 3,
    });
  });

  it('is asked for by a part size that a single part cannot have', async () => {
    const { fileName, size } = SMALL_FILE_REQUEST;
    const first: Session = await bench.ask('POST', '/api/uploads', { body: { fileName, size, fingerprint } });
    expect(first.strategy).toBe('single');
    expect(await bench.ask('POST', '/api/uploads', { body: { fileName, size, fingerprint, partSize: 5 * MiB } })).toMatchObject({
      sessionId: first.sessionId,
      strategy: 'multipart',
      partCount: 3,
    });
  });
});

describe('other attributes for the same file', () => {
  const fingerprint = 'v1:same-file';
  const first = {
    fingerprint,
    contentType: 'video/x-matroska',
    tags: { camera: 'A', shoot: 'Day 1' },
    metadata: { take: '1' },
    contentDisposition: 'attachment',
  } as const;
  const OTHERS = [
    ['tags', { tags: { camera: 'B', shoot: 'Day 1' } }],
    ['tags', { tags: {} }],
    ['metadata', { metadata: { take: '2' } }],
    ['contentType', { contentType: 'video/x-custom' }],
    ['contentDisposition', { contentDisposition: 'inline' }],
  ] as const;

  it.each(OTHERS)('(%s) are taken under the same id while nothing is stored', async (name, change) => {
    const { sessionId } = await bench.create(first);
    const before = await bench.session(sessionId);
    expect(await bench.create({ ...first, ...change })).toMatchObject({ sessionId, status: 'open', partCount: 3 });
    const { [name]: taken, ...rest } = await bench.session(sessionId);
    expect(taken).not.toEqual(before[name]);
    expect(rest).toMatchObject({ generation: 2, plan: before.plan });
    expect(bench.objects.uploadIds).toEqual([rest.uploadId]);

    await bench.putParts(sessionId, SMALL_FILE);
    await bench.ask('POST', `/api/uploads/${sessionId}/complete`);
    const { metadata } = (await bench.objects.headObject('film.mkv')) ?? {};
    expect({ ...bench.objects.attributes('film.mkv'), metadata }).toMatchObject({ [name]: taken });
  });

  it.each(OTHERS)('(%s) are refused with 409 when parts are stored, and nothing changes', async (attribute, change) => {
    const { sessionId } = await bench.create(first);
    await bench.putParts(sessionId, SMALL_FILE, [2]);
    await bench.ask('GET', `/api/uploads/${sessionId}/parts`);
    const before = await bench.session(sessionId);
    const problem = await refusal({ ...SMALL_FILE_REQUEST, ...first, ...change, overwrite: true });
    expect(problem).toMatchObject({
      status: 409,
      code: 'SESSION_ATTRIBUTES_DIFFER',
      sessionId,
      sessionStatus: 'open',
      differences: [{ attribute, stored: before[attribute] }],
      hint: expect.stringMatching(/^Leave out --.* another --key, .* partway abort ses-/),
    });
    expect(await bench.session(sessionId)).toEqual(before);
  });

  it.each(OTHERS)('(%s) are refused with 409 when the upload has completed, and the object stays', async (attribute, change) => {
    const { sessionId } = await bench.createCompleted(first);
    const problem = await refusal({ ...SMALL_FILE_REQUEST, ...first, ...change });
    expect(problem).toMatchObject({
      status: 409,
      code: 'SESSION_ATTRIBUTES_DIFFER',
      sessionId,
      sessionStatus: 'completed',
      differences: [{ attribute }],
      hint: expect.stringMatching(/^Leave out --.* another --key, .* --overwrite\.$/),
    });
    expect(bench.objects.callsOf('createMultipartUpload')).toHaveLength(1);
  });

  it('are taken for a completed upload with overwrite, by another session', async () => {
    const { sessionId } = await bench.createCompleted(first);
    const again = await bench.create({ ...first, tags: { camera: 'B' }, overwrite: true });
    expect(again.sessionId).not.toBe(sessionId);
    expect(await bench.session(again.sessionId)).toMatchObject({ tags: { camera: 'B' } });
  });

  it('are refused while the upload completes', async () => {
    const { sessionId } = await bench.create(first);
    await bench.putParts(sessionId, SMALL_FILE);
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    expect((await bench.send('POST', `/api/uploads/${sessionId}/complete`)).status).toBe(503);
    const problem = await refusal({ ...SMALL_FILE_REQUEST, ...first, tags: {} });
    expect(problem).toMatchObject({ code: 'SESSION_ATTRIBUTES_DIFFER', sessionStatus: 'completing' });
  });

  it.each<[string, object]>([
    ['leaves them out', { fingerprint }],
    ['repeats them', first],
    ['has the tags in another order', { fingerprint, tags: { shoot: 'Day 1', camera: 'A' } }],
    ['has the names of metadata in other letters', { fingerprint, metadata: { TAKE: '1' } }],
    ['has the content type in other letters', { fingerprint, contentType: 'Video/X-Matroska' }],
    ['has another content type, but only guessed', { fingerprint, contentType: 'video/mp4', contentTypeGuessed: true }],
    [
      'is the same disposition under another file name',
      { fingerprint, key: 'film.mkv', fileName: 'x', contentDisposition: 'attachment' },
    ],
  ])('are not requested by a request that %s', async (_, request) => {
    for (const stored of [[2], [1, 3]]) {
      const { sessionId } = await bench.create({ key: 'film.mkv', ...first });
      await bench.putParts(sessionId, SMALL_FILE, stored);
      expect(await bench.create({ key: 'film.mkv', ...request })).toMatchObject({ sessionId });
    }
    const { sessionId } = await bench.create({ key: 'film.mkv', ...first });
    await bench.ask('POST', `/api/uploads/${sessionId}/complete`);
    expect(await bench.create({ key: 'film.mkv', ...request })).toMatchObject({ sessionId, status: 'completed' });
    expect(await bench.session(sessionId)).toMatchObject({ generation: 1, contentType: 'video/x-matroska' });
  });

  it('come with another plan into one new generation', async () => {
    const { sessionId } = await bench.create(first);
    const again = await bench.create({ ...first, tags: { camera: 'B' }, partSize: 6 * MiB });
    expect(again).toMatchObject({ sessionId, partSize: 6 * MiB });
    expect(await bench.session(sessionId)).toMatchObject({ generation: 2, tags: { camera: 'B' } });
  });

  it('are named in the words of the command line, and long values are cut', async () => {
    const { sessionId } = await bench.create({ ...first, metadata: { long: 'x'.repeat(900) } });
    await bench.putParts(sessionId, SMALL_FILE, [1]);
    const { detail, hint } = await refusal({ ...SMALL_FILE_REQUEST, fingerprint, metadata: {}, contentType: 'text/plain' });
    expect(detail).toContain(`(session ${sessionId}), with metadata {"long":"xxx`);
    expect(detail).toContain('content type "video/x-matroska", not "text/plain"');
    expect(detail.length).toBeLessThan(500);
    expect(hint).toMatch(/^Leave out --metadata, --content-type /);
  });
});

describe('GET /api/uploads', () => {
  it('lists sessions newest first, in pages that a cursor continues', async () => {
    const ids: string[] = [];
    for (const key of ['a', 'b', 'c']) {
      ids.unshift((await bench.create({ key })).sessionId);
      bench.clock.advance(1_000);
    }
    type Page = { uploads: Session[]; nextCursor: string | null };
    const first = await bench.ask<Page>('GET', '/api/uploads?limit=2');
    expect(first.uploads.map((session) => session.sessionId)).toEqual(ids.slice(0, 2));
    const second = await bench.ask<Page>('GET', `/api/uploads?limit=2&cursor=${encodeURIComponent(String(first.nextCursor))}`);
    expect(second.uploads.map((session) => session.sessionId)).toEqual(ids.slice(2));
    expect(second.nextCursor).toBeNull();
  });

  it('lists one status when asked', async () => {
    await bench.create({ key: 'a' });
    const { sessionId } = await bench.create({ key: 'b' });
    await bench.ask('DELETE', `/api/uploads/${sessionId}`);
    const page = await bench.ask<{ uploads: Session[] }>('GET', '/api/uploads?status=aborted');
    expect(page.uploads).toMatchObject([{ sessionId, status: 'aborted' }]);
  });

  it.each([
    ['status=nosuch', '/status'],
    ['limit=0', '/limit'],
    ['limit=201', '/limit'],
    ['limit=ten', '/limit'],
  ])('answers 400 for ?%s', async (query, pointer) => {
    const problem = await bench.askForProblem('GET', `/api/uploads?${query}`);
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST', errors: [{ pointer }] });
  });
});
