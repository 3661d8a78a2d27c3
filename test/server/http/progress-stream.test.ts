import { beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from '../../../src/contract/wire.ts';
import { ControlPlaneBench, readProblem, SMALL_FILE } from '../../support/server/control-plane.ts';
import { startTurnClock } from '../../support/time/turn-clock.ts';

/** From a change to its event (issue 3); generous would hide a slow one. */
const WITHIN_MS = 1_000;

let bench: ControlPlaneBench;
let sessionId: string;
let path: string;
beforeEach(async () => {
  bench = new ControlPlaneBench({ keepAliveMs: 100 });
  ({ sessionId } = await bench.create());
  path = `/api/uploads/${sessionId}`;
});

/** The frames of a stream, one after the other; undefined when it has ended. */
async function open(url: string) {
  const response = await bench.send('GET', url, { headers: { accept: 'text/event-stream' } });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  const nextFrame = async (): Promise<string | undefined> => {
    for (;;) {
      const end = buffer.indexOf('\n\n');
      if (end >= 0) {
        const frame = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        return frame;
      }
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) return undefined;
      buffer += chunk.value;
    }
  };
  const nextEvent = async (): Promise<Progress | undefined> => {
    for (;;) {
      const frame = await nextFrame();
      if (frame?.startsWith(':')) continue;
      return frame === undefined ? undefined : parseEvent(frame);
    }
  };
  return { response, nextFrame, nextEvent, cancel: () => reader?.cancel() };
}

function parseEvent(frame: string): Progress {
  const [, data] = /^event: progress\ndata: (.*)$/.exec(frame) ?? [];
  if (data === undefined) throw new Error(`not a progress event: ${frame}`);
  return JSON.parse(data) as Progress;
}

const report = (inFlightBytes: number) =>
  bench.ask<Progress>('POST', `${path}/report`, { body: { clientId: 'client-1', inFlightBytes, bytesPerSecond: 1 } });

describe.each(['/api/uploads', '/api/upload'])('progress as Server-Sent Events at %s/…/progress', (base) => {
  const progressOf = (id: string) => `${base}/${id}/progress`;
  const openStream = () => open(progressOf(sessionId));

  it('is a stream that no cache or proxy may hold back', async () => {
    const { response, cancel } = await openStream();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toMatch(/no-cache|no-store/);
    await cancel();
  });

  it('starts at once with what polling answers', async () => {
    const elapsedMs = startTurnClock();
    const { nextEvent, cancel } = await openStream();
    const first = await nextEvent();
    expect(elapsedMs()).toBeLessThan(400);
    expect(first).toEqual(await bench.ask('GET', progressOf(sessionId)));
    await cancel();
  });

  it('sends an event within a second of a change, and nothing new without one', async () => {
    const { nextEvent, cancel } = await openStream();
    await nextEvent();
    for (const inFlightBytes of [5, 6]) {
      const elapsedMs = startTurnClock();
      await report(inFlightBytes);
      expect(await nextEvent()).toMatchObject({ inFlightBytes });
      expect(elapsedMs()).toBeLessThan(WITHIN_MS);
    }
    await cancel();
  });

  it('ends with the status that the session ends in', async () => {
    await bench.putParts(sessionId, SMALL_FILE);
    const { nextEvent } = await openStream();
    expect(await nextEvent()).toMatchObject({ status: 'open' });
    await bench.ask('POST', `${path}/complete`);
    expect(await nextEvent()).toMatchObject({ status: 'completed', storedBytes: SMALL_FILE.length });
    expect(await nextEvent()).toBeUndefined();
  });

  it('of an ended session is one event', async () => {
    await bench.ask('DELETE', path);
    const { nextEvent } = await openStream();
    expect(await nextEvent()).toMatchObject({ status: 'aborted' });
    expect(await nextEvent()).toBeUndefined();
  });

  it('sends a comment when nothing changes, so that no proxy closes it', async () => {
    const { nextFrame, cancel } = await openStream();
    await nextFrame();
    expect(await nextFrame()).toBe(': keep-alive');
    expect(await nextFrame()).toBe(': keep-alive');
    await cancel();
  });

  it('ends when the server is about to stop, and asks the watcher to come back in a second', async () => {
    const { nextFrame } = await openStream();
    await nextFrame();
    const elapsedMs = startTurnClock();
    bench.shutdown.abort();
    expect(await nextFrame()).toBe('event: reconnect\ndata: {"afterMs":1000}\nretry: 1000');
    expect(await nextFrame()).toBeUndefined();
    expect(elapsedMs()).toBeLessThan(400);
  });

  it('stops asking when the watcher is gone', async () => {
    let asked = 0;
    const watched = new ControlPlaneBench({
      aroundSessions: (method, call) => {
        if (method === 'get') asked++;
        return call();
      },
    });
    const session = await watched.create();
    const headers = { accept: 'text/event-stream' };
    const response = await watched.send('GET', progressOf(session.sessionId), { headers });
    await response.body?.cancel();
    const askedBefore = asked;
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(asked).toBe(askedBefore);
  });

  it('ends without a reason when the session store fails, and logs it', async () => {
    let broken = false;
    const failing = new ControlPlaneBench({
      aroundSessions: (method, call) =>
        broken && method === 'get' ? Promise.reject(new Error('the secret place of the disk failed')) : call(),
    });
    const session = await failing.create();
    const headers = { accept: 'text/event-stream' };
    const response = await failing.send('GET', progressOf(session.sessionId), { headers });
    broken = true;
    expect(await response.text()).not.toContain('secret place');
    expect(failing.logged.at(-1)).toMatchObject({ level: 'error', fields: { sessionId: session.sessionId } });
  });

  it('of an unknown session is a problem document, not a stream', async () => {
    const response = await bench.send('GET', progressOf('nosuch'), { headers: { accept: 'text/event-stream' } });
    expect(await readProblem(response)).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('is plain JSON for clients that do not ask for a stream', async () => {
    const response = await bench.send('GET', progressOf(sessionId), { headers: { accept: '*/*' } });
    expect(response.headers.get('content-type')).toContain('application/json');
  });
});

describe('many watchers of one session', () => {
  it('share the queries of the session store', async () => {
    let asked = 0;
    bench = new ControlPlaneBench({
      aroundSessions: (method, call) => {
        if (method === 'get') asked += 1;
        return call();
      },
    });
    const { sessionId: id } = await bench.create();
    const watchers = await Promise.all(Array.from({ length: 15 }, () => open(`/api/uploads/${id}/progress`)));
    for (const { nextEvent } of watchers) await nextEvent();
    const before = asked;
    await bench.ask('POST', `/api/uploads/${id}/report`, { body: { clientId: 'client-1', inFlightBytes: 7, bytesPerSecond: 1 } });
    const reported = asked;
    for (const { nextEvent } of watchers) expect(await nextEvent()).toMatchObject({ inFlightBytes: 7 });
    // They opened one after the other, so their polls may fall into a few answers.
    expect(asked - reported).toBeLessThan(6);
    expect(reported).toBeGreaterThan(before);
    for (const { cancel } of watchers) await cancel();
  });
});

describe('a HEAD of a live stream', () => {
  it('leaves no polling behind', async () => {
    let asked = 0;
    bench = new ControlPlaneBench({
      aroundSessions: (method, call) => {
        if (method === 'get') asked += 1;
        return call();
      },
    });
    const { sessionId: id } = await bench.create();
    const { status } = await bench.send('HEAD', `/api/uploads/${id}/progress`, { headers: { accept: 'text/event-stream' } });
    expect(status).toBe(200);
    // Of another session, because watchers of one session share queries.
    const { sessionId: other } = await bench.create({ key: 'another' });
    const { nextEvent, cancel } = await open(`/api/uploads/${other}/progress`);
    await nextEvent();
    const before = asked;
    // The stream that is read queries once for this event. It began after the other, which would have queried by then.
    await bench.ask('POST', `/api/uploads/${other}/report`, {
      body: { clientId: 'client-1', inFlightBytes: 1, bytesPerSecond: 1 },
    });
    const reported = asked;
    await nextEvent();
    expect(asked - reported).toBe(1);
    expect(before).toBeGreaterThan(0);
    await cancel();
  });
});
