import { describe, expect, it, vi } from 'vitest';
import { MiB } from '../../src/session/part-plan.ts';
import { EngineBench } from '../support/client/engine-bench.ts';
import { recordedSource, seededBytes } from '../support/client/sources.ts';
import type { EventOf } from '../support/client/started-run.ts';
import type { PutFault } from '../support/proxies/part-proxy.ts';

const PART = 5 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
const MULTIPART = { strategy: 'multipart', partSize: PART } as const;

/** Nothing shrinks, nothing is more than there is. Not for uploads of which the store loses parts. */
function expectHonestProgress(events: readonly EventOf<'progress'>[]): void {
  for (const [index, figures] of events.entries()) {
    const before = events[index - 1] ?? figures;
    for (const growing of ['storedBytes', 'retries', 'offlineMs', 'wastedBytes'] as const) {
      expect(figures[growing], growing).toBeGreaterThanOrEqual(before[growing]);
    }
    expect(figures.storedBytes + figures.inFlightBytes).toBeLessThanOrEqual(figures.size);
  }
}

const EXPIRED: PutFault = { answer: 403, code: 'AccessDenied', message: 'Request has expired' };
const INTERNAL_ERROR: PutFault = { answer: 500, code: 'InternalError', message: 'We encountered an internal error.' };

describe('an outage', () => {
  it('of the store is survived: it is reported, waited for, and costs no try', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(4 * PART, 21);
    const source = recordedSource(bytes);
    const session = await bench.open(source, MULTIPART);
    bench.proxy.plan = async ({ partNumber, attempt }) => {
      if (partNumber === 2 && attempt === 1) await bench.proxy.goDown();
      return undefined;
    };
    const run = bench.run(session, source);
    expect(await run.first('offline')).toMatchObject({
      what: 'the object store',
      reason: 'ECONNREFUSED',
      since: expect.any(Number),
      nextTryInMs: expect.any(Number),
    });
    await bench.proxy.comeBack();
    const { offlineSeconds, retries, wastedBytes, bytesSent } = await run.result;
    const [online] = run.eventsOf('online');
    expect(online).toMatchObject({ what: 'the object store', outageMs: expect.any(Number) });
    // The two clocks are read one after the other.
    expect(offlineSeconds * 1_000 - (online?.outageMs ?? 0)).toBeCloseTo(0, -2);
    expect(retries).toBe(run.eventsOf('retry').length);
    expect(wastedBytes).toBe(bytesSent - bytes.length);
    expectHonestProgress(run.eventsOf('progress'));
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('of the control plane is survived, too, whatever the engine asks of it meanwhile', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(5 * PART, 22);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = async ({ partNumber }) => {
      if (partNumber === 1) await bench.stopServer();
      return undefined;
    };
    const run = bench.run(session, source);
    expect(await run.first('offline')).toMatchObject({ what: 'the partway server', reason: 'ECONNREFUSED' });
    await bench.restartServer();
    const result = await run.result;
    expect(result).toMatchObject({ sessionId: session.sessionId, bytesSent: bytes.length, wastedBytes: 0 });
    expect(result.offlineSeconds).toBeGreaterThan(0);
    expect(run.eventsOf('online')).toMatchObject([{ what: 'the partway server' }]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('that is too long ends the run, and everything stored is kept', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 23);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = async ({ partNumber }) => {
      if (partNumber === 2) await bench.proxy.goDown();
      return undefined;
    };
    await expect(bench.run(session, source, { maxOutageMs: 500 }).result).rejects.toMatchObject({ code: 'OUTAGE_TOO_LONG' });
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', missing: [{ first: 2, last: 3 }] });
    bench.proxy.plan = () => undefined;
    await bench.proxy.comeBack();
    expect(await bench.run(session, source).result).toMatchObject({ bytesSent: 2 * PART });
  });

  it('can be interrupted at any time', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 24));
    const session = await bench.open(source, CHUNKED);
    await bench.proxy.goDown();
    const interruption = new AbortController();
    const run = bench.run(session, source, { signal: interruption.signal, drainMs: 60_000 });
    await run.first('offline');
    interruption.abort();
    await expect(run.result).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});

describe('a broken connection', () => {
  it('costs no try, however often: only answers about the part count', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(PART, 25);
    const source = recordedSource(bytes);
    const faults: (PutFault | undefined)[] = [{ resetAfter: MiB }, INTERNAL_ERROR, { resetAfter: 1 }, INTERNAL_ERROR];
    bench.proxy.plan = ({ attempt }) => faults[attempt - 1];
    const run = bench.run(await bench.open(source, CHUNKED), source);
    const { bytesSent, wastedBytes, retries } = await run.result;
    expect(bench.proxy.puts).toEqual([1, 1, 1, 1, 1]);
    expect(run.eventsOf('retry').map(({ partNumber, attempt }) => [partNumber, attempt])).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
    ]);
    // What was sent in vain is counted.
    expect(bytesSent).toBeGreaterThan(bytes.length + MiB);
    expect({ wastedBytes, retries }).toEqual({ wastedBytes: bytesSent - bytes.length, retries: 4 });
    expectHonestProgress(run.eventsOf('progress'));
    expect(run.eventsOf('offline')).toEqual([]);
  });

  it('after the last byte does not have the part sent again when the store has it', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 26);
    const source = recordedSource(bytes);
    bench.proxy.plan = ({ attempt }) => (attempt === 1 ? { loseAnswer: true } : undefined);
    const result = await bench.run(await bench.open(source, CHUNKED), source).result;
    expect(result).toMatchObject({ bytesSent: bytes.length, wastedBytes: 0, retries: 3 });
    expect(bench.proxy.puts).toEqual([1, 2, 3]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('that is merely still is cut and replaced', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 27);
    const source = recordedSource(bytes);
    bench.proxy.plan = ({ partNumber, attempt }) => (partNumber === 1 && attempt === 1 ? { stallAfter: MiB } : undefined);
    const run = bench.run(await bench.open(source, CHUNKED), source, { stallMs: 300 });
    await run.result;
    expect(bench.proxy.putsOf(1)).toBe(2);
    expect(run.eventsOf('retry')[0]).toMatchObject({
      partNumber: 1,
      attempt: 1,
      reason: expect.stringContaining('nothing moved'),
    });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });
});

describe('an answer of the store', () => {
  it('that the URL has expired gets a new URL, and costs no try', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(2 * PART, 28));
    const faults = [EXPIRED, INTERNAL_ERROR, EXPIRED, INTERNAL_ERROR, EXPIRED];
    bench.proxy.plan = ({ partNumber, attempt }) => (partNumber === 1 ? faults[attempt - 1] : undefined);
    const presign = vi.spyOn(bench.controlPlane, 'presign');
    await bench.run(await bench.open(source, CHUNKED), source).result;
    expect(bench.proxy.putsOf(1)).toBe(6);
    // Once at first, and once after each of the three refusals; a failure of the part leaves its URL good.
    expect(presign.mock.calls.filter(([, { partNumbers }]) => partNumbers.includes(1)).length).toBe(4);
  });

  it('403 also for a fresh URL is a refusal', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 29));
    bench.proxy.plan = () => ({ answer: 403, code: 'SignatureDoesNotMatch', message: 'not this signature' });
    await expect(bench.run(await bench.open(source, CHUNKED), source).result).rejects.toMatchObject({
      code: 'PART_REFUSED',
      message: expect.stringContaining('SignatureDoesNotMatch'),
    });
    expect(bench.proxy.puts).toEqual([1, 1]);
  });

  it('that the request is wrong ends the run at once: sending it again cannot help', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 30));
    bench.proxy.plan = () => ({ answer: 400, code: 'InvalidArgument' });
    await expect(bench.run(await bench.open(source, CHUNKED), source).result).rejects.toMatchObject({ code: 'PART_REFUSED' });
    expect(bench.proxy.puts).toEqual([1]);
  });

  it('500 three times in a row ends a chunked upload, and it can be resumed', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 31);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = ({ partNumber }) => (partNumber === 2 ? INTERNAL_ERROR : undefined);
    const run = bench.run(session, source);
    await expect(run.result).rejects.toMatchObject({
      code: 'PART_FAILED',
      message: expect.stringMatching(/^Part 2 failed 3 times; .*HTTP 500 InternalError: We encountered an internal error/),
    });
    expect(bench.proxy.putsOf(2)).toBe(3);
    // Two of three failures were followed by another attempt.
    expect(run.eventsOf('retry').map(({ partNumber, attempt }) => [partNumber, attempt])).toEqual([
      [2, 1],
      [2, 2],
    ]);
    const { storedBytes } = await bench.controlPlane.parts(session.sessionId);
    bench.proxy.plan = () => undefined;
    expect(await bench.run(session, source).result).toMatchObject({ bytesSent: bytes.length - storedBytes });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it.each<[string, PutFault]>([
    ['507', { answer: 507, code: 'XMinioStorageFull' }],
    ['500 "no space left on device"', { answer: 500, code: 'InternalError', message: 'cause(no space left on device)' }],
  ])('%s is told as a full store, at once, and everything stored is kept', async (_, full) => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(2 * PART, 32));
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = ({ partNumber }) => (partNumber === 2 ? full : undefined);
    await expect(bench.run(session, source).result).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(bench.proxy.puts).toEqual([1, 2]);
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', storedBytes: PART });
  });

  it('that it is busy is waited for as long as it says, and costs no try', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 33));
    const session = await bench.open(source, CHUNKED);
    const arrivals: number[] = [];
    bench.proxy.plan = ({ attempt }) => {
      arrivals.push(performance.now());
      if (attempt === 1) return { answer: 429, code: 'TooManyRequests', retryAfter: 1 };
      return attempt < 4 ? { answer: 503, code: 'XMinioServerNotInitialized' } : undefined;
    };
    await bench.run(session, source).result;
    expect(arrivals.length).toBe(4);
    expect((arrivals[1] ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThanOrEqual(990);
  });
});

describe('a store that lost the upload', () => {
  it('gets all of it again under the same session id, and the loss is reported', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(4 * PART, 34);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = async ({ partNumber, attempt }) => {
      if (partNumber !== 3 || attempt > 1) return undefined;
      await expect.poll(() => run.eventsOf('part').length).toBe(2);
      await bench.loseUploads('video.mp4');
      return undefined;
    };
    const run = bench.run(session, source);
    const result = await run.result;
    expect(result.sessionId).toBe(session.sessionId);
    expect(result.bytesSent).toBeGreaterThanOrEqual(bytes.length + 2 * PART);
    expect(result.wastedBytes).toBe(result.bytesSent - bytes.length);
    expect(run.eventsOf('healed')).toEqual([{ type: 'healed', lostBytes: 2 * PART }]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
    expect(await bench.store.listMultipartUploads('video.mp4')).toEqual([]);
  });

  it('before this run began has its loss reported, too: the session said that more was stored', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 36);
    const source = recordedSource(bytes);
    const { sessionId } = await bench.open(source, CHUNKED);
    const session = await rememberedWith(bench, sessionId, bytes, [1]);
    await bench.loseUploads('video.mp4');
    const run = bench.run(session, source);
    expect(await run.result).toMatchObject({ bytesSent: bytes.length, wastedBytes: 0 });
    expect(run.eventsOf('healed')).toEqual([{ type: 'healed', lostBytes: PART }]);
  });

  it('gets it again even if the loss shows only at the end', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 35);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    let lost: Promise<void> | undefined;
    const run = bench.run(session, source, {
      onEvent: (event) => {
        // Between the last part and the call that completes there is no request to wait for: hold up that call's check of the file.
        if (event.type === 'part' && event.partNumber === 2) lost ??= bench.loseUploads('video.mp4');
      },
    });
    source.identify = async () => {
      await lost;
      return source.identity;
    };
    expect(await run.result).toMatchObject({ sessionId: session.sessionId, bytesSent: 2 * bytes.length });
    expect(run.eventsOf('healed')).toEqual([{ type: 'healed', lostBytes: 2 * PART }]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });
});

it('the progress of a resumed upload begins at what is stored, also while the store was not asked yet', async () => {
  const bench = await EngineBench.start();
  const bytes = seededBytes(2 * PART, 37);
  const source = recordedSource(bytes);
  const { sessionId } = await bench.open(source, CHUNKED);
  const session = await rememberedWith(bench, sessionId, bytes, [1]);
  const list = bench.controlPlane.parts.bind(bench.controlPlane);
  let show = () => {};
  const shown = new Promise<void>((resolve) => {
    show = resolve;
  });
  vi.spyOn(bench.controlPlane, 'parts').mockImplementationOnce((...call) => shown.then(() => list(...call)));
  const run = bench.run(session, source, { onEvent: ({ type }) => type === 'progress' && show() });
  await run.result;
  expect(run.eventsOf('progress')[0]).toMatchObject({ storedBytes: PART, partsStored: 1 });
  expectHonestProgress(run.eventsOf('progress'));
});

/** The session as the server answers it when these parts are stored and it knows. */
async function rememberedWith(bench: EngineBench, sessionId: string, bytes: Uint8Array, stored: readonly number[]) {
  await bench.storeParts(await bench.controlPlane.get(sessionId), bytes, stored);
  await bench.controlPlane.parts(sessionId);
  return bench.controlPlane.get(sessionId);
}
