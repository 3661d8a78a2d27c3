import { describe, expect, it, onTestFinished } from 'vitest';
import { MiB } from '../../src/session/part-plan.ts';
import { startSmallPaths } from '../model/small-paths.ts';
import { recordedSource, seededBytes } from '../support/client/sources.ts';
import { isPut, isPutOf, type SeenRequest } from '../support/proxies/fault-proxy.ts';
import { aGate, answers, holdsAnswer, losesAnswer, resetsAfter, S3_ANSWERS, stallsAfter } from '../support/proxies/faults.ts';
import type { FaultyLink } from '../support/proxies/faulty-link.ts';
import { startFaultyPaths } from '../support/proxies/faulty-paths.ts';
import { startTurnClock } from '../support/time/turn-clock.ts';

const PART = 5 * MiB;
/** Where the path is what is tested, and not what a store makes of it. */
const SMALL_PART = 256 * 1024;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
const MULTIPART = { strategy: 'multipart', partSize: PART } as const;

const isCallTo = (name: string) => (request: SeenRequest) => request.path.endsWith(`/${name}`);
/** CompleteMultipartUpload: the only POST to a key that answers about a whole upload, and the last one. */
const isComplete = (key: string, bucket: string, uploads: () => number) => {
  return ({ method, path }: SeenRequest) => method === 'POST' && path === `/${bucket}/${key}` && uploads() > 0;
};

describe('the way to the store', () => {
  it.each<[string, string, (link: FaultyLink) => void | Promise<void>]>([
    ['refuses connections', 'ECONNREFUSED', (link) => link.refuse()],
    ['resets connections', 'ECONNRESET', (link) => link.reset()],
    ['is a black hole', 'nothing moves', (link) => link.freeze()],
  ])('%s for a while: the upload says so, and goes on by itself', async (_, reason, breakLink) => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(6 * SMALL_PART, 41);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'multipart' });
    paths.clientToStore.link.bytesPerSecond = 4 * SMALL_PART;
    const run = paths.run(session, source);
    await run.first('part');
    await breakLink(paths.clientToStore.link);
    expect(await run.first('offline')).toMatchObject({ what: 'the object store', reason });
    paths.clientToStore.link.bytesPerSecond = undefined;
    await paths.clientToStore.link.restore();
    const elapsedMs = startTurnClock();
    await run.first('online');
    expect(elapsedMs()).toBeLessThan(5_000);
    expect(await run.result).toMatchObject({ status: 'completed', bytes: bytes.length });
    expect(run.eventsOf('online')).toMatchObject([{ what: 'the object store' }]);
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('comes back without the connections of before: they are given up and replaced within seconds', async () => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(4 * SMALL_PART, 42);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'multipart' });
    paths.clientToStore.link.bytesPerSecond = 4 * SMALL_PART;
    const run = paths.run(session, source);
    await run.first('part');
    paths.clientToStore.link.freeze();
    await run.first('offline');
    await paths.clientToStore.link.restore({ stayFrozen: true });
    const elapsedMs = startTurnClock();
    await run.result;
    expect(elapsedMs()).toBeLessThan(8_000);
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('is slow: no part is cut, though it takes longer than a stall may', async () => {
    const paths = await startFaultyPaths();
    // More than the sockets on the way can hold, so that the link's speed is what counts.
    const bytes = seededBytes(16 * MiB, 43);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'single' });
    paths.clientToStore.link.bytesPerSecond = 4 * MiB;
    const run = paths.run(session, source, { stallMs: 3_000 });
    expect(await run.result).toMatchObject({ bytesSent: bytes.length });
    expect(paths.clientToStore.puts).toEqual([{ partNumber: 1, attempt: 1, bodyBytes: bytes.length, outcome: 200 }]);
    expect(run.eventsOf('retry')).toEqual([]);
  });

  it('holds one part still while others move: that one is cut and sent again, and nothing else', async () => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(4 * SMALL_PART, 44);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'multipart' });
    const gate = aGate();
    const stall = paths.clientToStore.inject(stallsAfter(SMALL_PART / 2, gate), isPutOf(2), { times: 1 });
    const run = paths.run(session, source, { stallMs: 1_000 });
    await run.result;
    gate.open();
    expect(stall.hits).toBe(1);
    expect(run.eventsOf('retry').map(({ partNumber }) => partNumber)).toEqual([2]);
    expect(run.eventsOf('offline')).toEqual([]);
    expect(paths.clientToStore.puts.map(({ partNumber }) => partNumber).sort()).toEqual([1, 2, 2, 3, 4]);
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });

  it("has a hotel's sign-in page that answers for the store, more often than a part may fail: no try is used up", async () => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(2 * SMALL_PART, 51);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'chunked' });
    const page = {
      status: 302,
      headers: { location: 'http://sign-in.example/', 'content-type': 'text/html' },
      body: '<h1>Welcome</h1>',
      when: 'body read',
    } as const;
    const portal = paths.clientToStore.inject(answers(page), isPutOf(1), { times: 4 });
    const run = paths.run(session, source);
    expect(await run.result).toMatchObject({ status: 'completed' });
    expect(portal.hits).toBe(4);
    expect(run.eventsOf('retry')[0]?.reason).toContain('HTTP 302');
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('breaks in mid-body of a single PUT: it is sent again whole, and all that was sent is counted', async () => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(3 * SMALL_PART, 45);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'single' });
    paths.clientToStore.inject(resetsAfter(2 * SMALL_PART), isPut, { times: 1 });
    const { bytesSent } = await paths.run(session, source).result;
    expect(paths.clientToStore.puts.map(({ outcome }) => outcome)).toEqual(['cut', 200]);
    const arrived = paths.clientToStore.puts.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
    // Sockets took what arrived, and perhaps what was in their buffers when the connection broke.
    expect(bytesSent).toBeGreaterThanOrEqual(arrived);
    expect(bytesSent).toBeLessThanOrEqual(2 * bytes.length);
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });
});

describe('the way to the control plane', () => {
  it('is a black hole for a while: parts with a URL arrive meanwhile, and the upload goes on by itself', async () => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(4 * SMALL_PART, 46);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'chunked' });
    const run = paths.run(session, source);
    await run.first('part');
    await paths.clientToServer.link.refuse();
    expect(await run.first('offline')).toMatchObject({ what: 'the partway server' });
    // From refused to swallowed: the probes hear nothing now.
    await paths.clientToServer.link.restore();
    paths.clientToServer.link.freeze();
    const connections = paths.clientToServer.link.connections;
    await expect.poll(() => paths.clientToServer.link.connections, { timeout: 60_000 }).toBeGreaterThan(connections);
    await paths.clientToServer.link.restore({ stayFrozen: true });
    expect(await run.result).toMatchObject({ sessionId: session.sessionId, bytesSent: bytes.length });
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });

  it.each(['parts', 'presign', 'report', 'complete'])(
    'loses an answer to %s: it is asked again, and nothing is sent twice',
    async (call) => {
      const paths = await startSmallPaths(SMALL_PART);
      const bytes = seededBytes(3 * SMALL_PART, 47);
      const source = recordedSource(bytes);
      const session = await paths.open(source, { strategy: 'multipart' });
      const lost = paths.clientToServer.inject(losesAnswer, isCallTo(call), { times: 1 });
      expect(await paths.run(session, source).result).toMatchObject({ status: 'completed', bytesSent: bytes.length });
      expect(lost.hits).toBe(1);
      expect(paths.clientToStore.puts.length).toBe(3);
      expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
    },
  );

  it.each(['parts', 'complete'])(
    'swallows an answer to %s, and the connection stays as if it lived: it is asked again over another one',
    async (call) => {
      const paths = await startSmallPaths(SMALL_PART);
      const bytes = seededBytes(2 * SMALL_PART, 52);
      const source = recordedSource(bytes);
      const session = await paths.open(source, { strategy: 'multipart' });
      const gate = aGate();
      onTestFinished(gate.open);
      const swallowed = paths.clientToServer.inject(holdsAnswer(gate), isCallTo(call), { times: 1 });
      const run = paths.run(session, source);
      expect(await run.result).toMatchObject({ status: 'completed', bytesSent: bytes.length });
      expect(swallowed.hits).toBe(1);
      expect(run.eventsOf('offline')).toEqual([]);
    },
  );

  it('has a gateway that answers for it: that is no answer of the control plane', async () => {
    const paths = await startSmallPaths(SMALL_PART);
    const bytes = seededBytes(2 * SMALL_PART, 48);
    const source = recordedSource(bytes);
    const session = await paths.open(source, { strategy: 'chunked' });
    const page = {
      status: 502,
      headers: { 'content-type': 'text/html' },
      body: '<h1>Bad Gateway</h1>',
      when: 'body read',
    } as const;
    const gateway = paths.clientToServer.inject(answers(page), () => true);
    const run = paths.run(session, source);
    expect(await run.first('offline')).toMatchObject({ what: 'the partway server', reason: expect.stringContaining('502') });
    gateway.remove();
    expect(await run.result).toMatchObject({ status: 'completed', bytesSent: bytes.length });
    expect(run.eventsOf('online')).toMatchObject([{ what: 'the partway server' }]);
  });
});

describe('the way from the control plane to the store', () => {
  it.each([
    ['loses the answer to Complete', losesAnswer],
    ['has a store that is too busy to complete', answers(S3_ANSWERS.slowDown)],
  ])('%s: the upload is completed all the same, once and exactly', async (_, fault) => {
    const paths = await startFaultyPaths();
    const bytes = seededBytes(2 * PART + 1, 49);
    const source = recordedSource(bytes);
    const session = await paths.open(source, MULTIPART);
    const put = () => paths.clientToStore.puts.length;
    const injected = paths.serverToStore.inject(fault, isComplete('video.mp4', session.bucket, put), { times: 1 });
    const run = paths.run(session, source);
    expect(await run.result).toMatchObject({ sessionId: session.sessionId, status: 'completed', bytesSent: bytes.length });
    expect(injected.hits).toBe(1);
    expect(run.eventsOf('healed')).toEqual([]);
    expect(paths.clientToStore.puts.length).toBe(3);
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });

  // MinIO has the whole request by then, and stops it wherever it is: each round meets another moment.
  it.each([1, 2])(
    'breaks while the store completes: the upload ends exactly, sending again what the store lost (%i)',
    async () => {
      const paths = await startFaultyPaths();
      const bytes = seededBytes(2 * PART + 1, 49);
      const source = recordedSource(bytes);
      const session = await paths.open(source, MULTIPART);
      const put = () => paths.clientToStore.puts.length;
      paths.serverToStore.inject(resetsAfter(1), isComplete('video.mp4', session.bucket, put), { times: 1 });
      const run = paths.run(session, source);
      const { status, sessionId, bytesSent } = await run.result;
      expect({ status, sessionId }).toEqual({ status: 'completed', sessionId: session.sessionId });
      const lostBytes = run.eventsOf('healed').reduce((sum, event) => sum + event.lostBytes, 0);
      expect(bytesSent).toBe(bytes.length + lostBytes);
      expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
    },
  );

  it('is down for a while when the parts are all there: the upload waits for it', async () => {
    const paths = await startFaultyPaths();
    const bytes = seededBytes(2 * PART, 50);
    const source = recordedSource(bytes);
    const session = await paths.open(source, CHUNKED);
    let down: Promise<void> | undefined;
    const run = paths.run(session, source, {
      onEvent: (event) => {
        if (event.type === 'part' && event.partNumber === 2) down = paths.serverToStore.link.refuse();
      },
    });
    source.identify = async () => {
      await down;
      return source.identity;
    };
    await run.first('finishing');
    await expect.poll(() => paths.clientToServer.count(isCallTo('complete')), { timeout: 60_000 }).toBeGreaterThan(0);
    await paths.serverToStore.link.restore();
    expect(await run.result).toMatchObject({ status: 'completed', bytesSent: bytes.length });
    expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
  });
});
