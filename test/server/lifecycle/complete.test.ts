import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { sweep } from '../../../src/server/lifecycle/sweeper.ts';
import type { ErrorCode, UploadError } from '../../../src/session/errors.ts';
import { checksumOf } from '../../suites/object-store.ts';
import type { Around } from '../../support/interpose.ts';
import { type AdminService, adminService, ServiceBench, TINY_FILE } from '../../support/server/control-plane.ts';

const CHECKSUM = checksumOf(TINY_FILE);
const OTHER_CHECKSUM = checksumOf(Buffer.from('another file'));
const etagOf = (bytes: string) => createHash('md5').update(bytes).digest('hex');

/** Calls to both stores that change something or that a rule is about, in order. */
let order: string[];
let bench: ServiceBench;
let service: AdminService;
let sessionId: string;
let uploadId: string;
beforeEach(async () => {
  order = [];
  const note: Around = (method, call) => {
    order.push(method);
    return call();
  };
  bench = new ServiceBench({ aroundSessions: note, aroundObjects: note });
  service = adminService(bench.deps);
  ({ sessionId, uploadId } = await bench.openTinySession());
});

const RULED = ['insert', 'changeStatus', 'openUpload', 'createMultipartUpload', 'completeMultipartUpload', 'headObject'];
const ruled = (...more: string[]) => order.filter((method) => RULED.includes(method) || more.includes(method));
const complete = (request = {}) => service.complete(sessionId, request);
const statusNow = async () => (await bench.session(sessionId)).status;

async function refusalOf(call: Promise<unknown>): Promise<UploadError & { code: ErrorCode }> {
  return call.then(
    () => {
      throw new Error('it was not refused');
    },
    (error) => error,
  );
}

describe('the write order', () => {
  it('has the row before the multipart upload', async () => {
    await service.create({ fileName: 'a', size: 1, overwrite: true });
    expect(ruled()).toEqual(['insert', 'createMultipartUpload', 'openUpload']);
  });

  it('compares the store’s list before it stores completing, stores completing before it asks the store, completed after it saw the object', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    await complete();
    expect(ruled('listParts').filter((method, index, all) => method !== all[index - 1])).toEqual([
      'listParts',
      'changeStatus',
      'completeMultipartUpload',
      'headObject',
      'listParts',
      'changeStatus',
    ]);
  });

  it('has the session completing while the store assembles the object', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    let during: string | undefined;
    bench.objects.beforeNext('completeMultipartUpload', async () => {
      during = await statusNow();
    });
    await complete();
    expect(during).toBe('completing');
  });

  it('has the session aborting while the store deletes the parts', async () => {
    let during: string | undefined;
    bench.objects.beforeNext('abortMultipartUpload', async () => {
      during = await statusNow();
    });
    await service.abort(sessionId);
    expect(during).toBe('aborting');
    expect(await statusNow()).toBe('aborted');
  });
});

describe('completing', () => {
  it('uses what the store lists, not what was reported', async () => {
    const parts = [1, 2, 3].map((partNumber) => ({ partNumber, etag: '"reported"' }));
    await service.report(sessionId, { clientId: 'c', parts });
    expect(await refusalOf(complete())).toMatchObject({ code: 'PARTS_MISSING', facts: { missing: [{ first: 1, last: 3 }] } });
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open', storedBytes: 0, partsStored: 0 });
  });

  it('names the missing parts as ranges, with a part of a wrong size among them', async () => {
    await bench.putParts(sessionId, TINY_FILE, [1, 3]);
    bench.objects.putPart('tiny.bin', uploadId, 1, Buffer.from('012'));
    expect(await refusalOf(complete())).toMatchObject({ code: 'PARTS_MISSING', facts: { missing: [{ first: 1, last: 2 }] } });
    expect(bench.objects.callsOf('completeMultipartUpload')).toEqual([]);
    expect(await statusNow()).toBe('open');
  });

  it('leaves out parts that are not in the plan', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.putPart('tiny.bin', uploadId, 4, Buffer.from('more'));
    expect(await complete({ checksum: CHECKSUM })).toMatchObject({ status: 'completed' });
    expect(bench.objects.read('tiny.bin')).toEqual(TINY_FILE);
  });

  it('refuses another checksum than the stored parts add up to, and stays open', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    expect(await refusalOf(complete({ checksum: OTHER_CHECKSUM }))).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    expect(await statusNow()).toBe('open');
    expect(bench.objects.read('tiny.bin')).toBeUndefined();
    expect(await complete({ checksum: CHECKSUM })).toMatchObject({ status: 'completed', checksum: CHECKSUM });
  });

  it('refuses another checksum than a completed session has', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    await complete();
    expect(await refusalOf(complete({ checksum: OTHER_CHECKSUM }))).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  });

  it('gives two requests at the same time one result', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    const [first, second] = await Promise.all([complete({ checksum: CHECKSUM }), complete({ checksum: CHECKSUM })]);
    expect(first).toEqual(second);
    expect(bench.objects.callsOf('completeMultipartUpload')).toHaveLength(1);
  });

  it.each([
    ['checksum', { checksum: CHECKSUM }, { checksum: OTHER_CHECKSUM }],
    ['part', { parts: [{ partNumber: 2, etag: etagOf('4567') }] }, { parts: [{ partNumber: 2, etag: etagOf('abcd') }] }],
  ])('does not share its success with a simultaneous request that expects another %s', async (_, right, wrong) => {
    await bench.putParts(sessionId, TINY_FILE);
    const [first, second] = await Promise.allSettled([complete(right), complete(wrong)]);
    expect(first).toMatchObject({ status: 'fulfilled', value: { status: 'completed' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'CHECKSUM_MISMATCH' } });
    expect(bench.objects.callsOf('completeMultipartUpload')).toHaveLength(1);
  });

  it('works for the client with the right checksum, even if one with a wrong checksum was first', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    const [first, second] = await Promise.allSettled([complete({ checksum: OTHER_CHECKSUM }), complete({ checksum: CHECKSUM })]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'CHECKSUM_MISMATCH' } });
    expect(second).toMatchObject({ status: 'fulfilled', value: { status: 'completed' } });
  });

  it('by two servers on the same stores makes one object, and gives no wrong answer', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    const other = adminService(bench.deps);
    const outcomes = await Promise.allSettled([complete(), other.complete(sessionId, {})]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SESSION_BUSY' });
      else expect(outcome.value).toMatchObject({ status: 'completed' });
    }
    expect(await complete()).toMatchObject({ status: 'completed' });
    expect(bench.objects.read('tiny.bin')).toEqual(TINY_FILE);
  });

  it('of a session left creating opens it, and names all parts as missing: a client can go on from there', async () => {
    bench.objects.failNext('createMultipartUpload', 'unavailable');
    await refusalOf(service.create({ fileName: 'a', size: 1 }));
    const [left] = (await bench.sessions.list({ limit: 1, status: 'creating' })).sessions;
    const refusal = await refusalOf(service.complete(String(left?.sessionId), {}));
    expect(refusal).toMatchObject({ code: 'PARTS_MISSING', facts: { missing: [{ first: 1, last: 1 }] } });
    expect(await bench.session(String(left?.sessionId))).toMatchObject({ status: 'open' });
  });

  it('is refused while the session is aborting', async () => {
    bench.objects.failNext('abortMultipartUpload', 'unavailable');
    await refusalOf(service.abort(sessionId));
    expect(await refusalOf(complete())).toMatchObject({ code: 'SESSION_NOT_OPEN', facts: { sessionStatus: 'aborting' } });
  });

  it('loses against an abort that came between the list and the intent', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.beforeNext('listParts', () => service.abort(sessionId));
    expect(await refusalOf(complete())).toMatchObject({ code: expect.stringMatching(/SESSION_BUSY|SESSION_NOT_OPEN/) });
    expect(await statusNow()).toBe('aborted');
    expect(bench.objects.read('tiny.bin')).toBeUndefined();
  });
});

describe('a lost answer to Complete', () => {
  beforeEach(() => bench.putParts(sessionId, TINY_FILE));

  it('leaves the session completing, and a repeat finds the object', async () => {
    bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    expect(await refusalOf(complete())).toMatchObject({ failure: 'unavailable' });
    expect(await statusNow()).toBe('completing');
    expect(await complete({ checksum: CHECKSUM })).toMatchObject({ status: 'completed', checksum: CHECKSUM });
    expect(bench.objects.callsOf('completeMultipartUpload')).toHaveLength(1);
  });

  it('leaves the session completing, and a repeat completes where the store had done nothing', async () => {
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    expect(await refusalOf(complete())).toMatchObject({ failure: 'unavailable' });
    expect(await statusNow()).toBe('completing');
    expect(await complete()).toMatchObject({ status: 'completed', checksum: CHECKSUM });
  });

  it('still refuses the checksum of another file in a repeat', async () => {
    bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    await refusalOf(complete({ checksum: CHECKSUM }));
    expect(await refusalOf(complete({ checksum: OTHER_CHECKSUM }))).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    expect(await statusNow()).toBe('completing');
  });

  it('is never settled to other contents than the client expected, though a part may be replaced as long as its URL lives', async () => {
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    await refusalOf(complete({ checksum: CHECKSUM }));
    bench.objects.putPart('tiny.bin', uploadId, 2, Buffer.from('abcd'));
    expect(await sweep(bench.deps, 0)).toMatchObject({ repaired: 1, failed: 0 });
    expect(await statusNow()).toBe('open');
    expect(bench.objects.read('tiny.bin')).toBeUndefined();
  });

  it('shows no checksum as long as the session is not completed', async () => {
    bench.objects.failNext('completeMultipartUpload', 'unavailable');
    await refusalOf(complete());
    expect(await service.get(sessionId)).toMatchObject({ status: 'completing', checksum: null });
  });

  it("is settled by 412 where the object is the session's own", async () => {
    bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    await refusalOf(complete());
    bench.objects.failNext('headObject', 'unavailable');
    await refusalOf(complete());
    bench.objects.failNext('completeMultipartUpload', 'object-exists');
    expect(await complete()).toMatchObject({ status: 'completed' });
  });

  it("that was sent again meanwhile finds the session's own object at the 412", async () => {
    const parts = await bench.objects.listParts('tiny.bin', uploadId);
    const input = { key: 'tiny.bin', uploadId, parts, checksum: CHECKSUM, onlyIfAbsent: true };
    bench.objects.beforeNext('completeMultipartUpload', () => bench.objects.completeMultipartUpload(input));
    expect(await complete()).toMatchObject({ status: 'completed', checksum: CHECKSUM });
  });

  it('to an overwriting Complete is settled too', async () => {
    const tiny = await bench.openTinySession({ key: 'over.bin', overwrite: true });
    bench.objects.putObject('over.bin', Buffer.from('older'));
    await bench.putParts(tiny.sessionId, TINY_FILE);
    bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    await refusalOf(service.complete(tiny.sessionId, {}));
    expect(await service.complete(tiny.sessionId, {})).toMatchObject({ status: 'completed' });
    expect(bench.objects.read('over.bin')).toEqual(TINY_FILE);
  });
});

describe('a list that the store does not answer', () => {
  it('leaves the session open: the contents are not proven, so nothing may go on without the client', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.failNext('listParts', 'unavailable');
    expect(await refusalOf(complete({ checksum: OTHER_CHECKSUM }))).toMatchObject({ failure: 'unavailable' });
    expect(await statusNow()).toBe('open');
  });
});

describe('an object of another program', () => {
  it('that appeared during the upload is not overwritten, and the session stays open', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.putObject('tiny.bin', Buffer.from('theirs'));
    expect(await refusalOf(complete())).toMatchObject({ code: 'OBJECT_EXISTS' });
    expect(await statusNow()).toBe('open');
    expect(bench.objects.read('tiny.bin')?.toString()).toBe('theirs');
    expect(bench.objects.uploadIds).toEqual([uploadId]);
  });

  it("with the session's id but another size or checksum is not taken for the session's", async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.putObject('tiny.bin', Buffer.from('9876543210'), { 'partway-session': sessionId });
    expect(await refusalOf(complete())).toMatchObject({ code: 'OBJECT_EXISTS' });
    expect(await statusNow()).toBe('open');
  });
});

describe('a store that lost something', () => {
  it('the whole upload: the session is open again under its id with the next generation, and says how much must be sent again', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    await service.parts(sessionId);
    bench.objects.sweepUpload(uploadId);
    expect(await refusalOf(complete())).toMatchObject({ code: 'PARTS_LOST', facts: { lostBytes: TINY_FILE.length } });
    const healed = await bench.session(sessionId);
    expect(healed).toMatchObject({ status: 'open', generation: 2, storedBytes: 0, partsStored: 0 });
    expect(bench.objects.uploadIds).toEqual([healed.uploadId]);
    await bench.putParts(sessionId, TINY_FILE);
    expect(await complete({ checksum: CHECKSUM })).toMatchObject({ status: 'completed' });
  });

  it('the whole upload, inside Complete: the same', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.beforeNext('completeMultipartUpload', () => bench.objects.sweepUpload(uploadId));
    expect(await refusalOf(complete())).toMatchObject({ code: 'PARTS_LOST', facts: { lostBytes: TINY_FILE.length } });
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open', generation: 2 });
  });

  it('one part: it is named, and the others stay', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.losePart(uploadId, 2);
    expect(await refusalOf(complete())).toMatchObject({ code: 'PARTS_MISSING', facts: { missing: [{ first: 2, last: 2 }] } });
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open', generation: 1, partsStored: 2 });
    await bench.putParts(sessionId, TINY_FILE, [2]);
    expect(await complete()).toMatchObject({ status: 'completed' });
  });

  it('one part, inside Complete: the same', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.beforeNext('completeMultipartUpload', () => bench.objects.losePart(uploadId, 3));
    expect(await refusalOf(complete())).toMatchObject({ code: 'PARTS_MISSING', facts: { missing: [{ first: 3, last: 3 }] } });
    expect(await statusNow()).toBe('open');
  });

  it('a part that was sent again with the same size inside Complete makes the client ask again', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.beforeNext('completeMultipartUpload', () =>
      bench.objects.putPart('tiny.bin', uploadId, 2, Buffer.from('abcd')),
    );
    expect(await refusalOf(complete({ checksum: CHECKSUM }))).toMatchObject({ code: 'SESSION_BUSY' });
    expect(await refusalOf(complete({ checksum: CHECKSUM }))).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    expect(bench.objects.read('tiny.bin')).toBeUndefined();
  });
});

describe('a definite refusal of the store', () => {
  it.each(['full', 'refused', 'bucket-missing'] as const)('(%s) leaves the session open with its parts', async (failure) => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.failNext('completeMultipartUpload', failure);
    expect(await refusalOf(complete())).toMatchObject({ failure });
    expect(await statusNow()).toBe('open');
    expect(await complete()).toMatchObject({ status: 'completed' });
  });

  it('of the checksum is reported as such', async () => {
    await bench.putParts(sessionId, TINY_FILE);
    bench.objects.failNext('completeMultipartUpload', 'checksum-mismatch');
    expect(await refusalOf(complete())).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    expect(await statusNow()).toBe('open');
  });
});
