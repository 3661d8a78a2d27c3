import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ObjectStoreError } from '../../../src/object-store/port.ts';
import { startSweeper } from '../../../src/server/lifecycle/sweeper.ts';
import { deliver } from '../../../src/server/webhooks/delivery.ts';
import { RawConnection } from '../../support/network/raw-connection.ts';
import { ControlPlaneBench, SMALL_FILE, SMALL_FILE_REQUEST } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

let bench: ControlPlaneBench;
beforeEach(() => {
  bench = new ControlPlaneBench();
});

/** The value of the series as /metrics shows it; undefined where there is none. */
async function read(series: string, of: ControlPlaneBench = bench): Promise<number | undefined> {
  const text = await (await of.send('GET', '/metrics')).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

describe('GET /metrics', () => {
  it("answers in Prometheus' text format, and not as a problem", async () => {
    const response = await bench.send('GET', '/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toMatch(/^# HELP partway_\w+ .+\n# TYPE partway_\w+ (counter|gauge|histogram)\n/);
  });

  it('names no session, key, file or token', async () => {
    const token = await bench.issueToken({ name: 'camera-1', scopes: ['upload'] });
    const { sessionId } = await bench.create({ key: 'secret/film.mkv' });
    await bench.send('GET', `/api/uploads/${sessionId}`, { token });
    await bench.send('GET', '/api/uploads/ses_guessed');
    await bench.send('GET', '/no/such/path');
    const text = await (await bench.send('GET', '/metrics')).text();
    for (const name of [
      sessionId,
      'ses_guessed',
      'secret',
      'film',
      'camera-1',
      'tok_',
      token,
      'no/such',
      `${bench.objects.bucket}"`,
    ]) {
      expect(text.includes(name), name).toBe(false);
    }
  });

  it('of two servers in one process do not mix', async () => {
    await bench.create();
    const other = new ControlPlaneBench();
    expect(await read('partway_session_events_total{event="created"}')).toBe(1);
    expect(await read('partway_session_events_total{event="created"}', other)).toBe(0);
  });
});

describe('requests', () => {
  it('are counted and timed by operation and status', async () => {
    await bench.create();
    await bench.create({ key: 'another' });
    await bench.send('POST', '/api/uploads', { body: {} });
    expect(await read('partway_requests_total{operation="createUpload",status="201"}')).toBe(2);
    expect(await read('partway_requests_total{operation="createUpload",status="400"}')).toBe(1);
    expect(await read('partway_request_duration_seconds_count{operation="createUpload"}')).toBe(3);
    expect(await read('partway_request_duration_seconds_bucket{le="+Inf",operation="createUpload"}')).toBe(3);
  });

  it('of an operation on a session are one series, whatever the session, and through a capability as well', async () => {
    const { sessionId } = await bench.create();
    const { token } = await bench.ask<{ token: string }>('POST', `/api/uploads/${sessionId}/capabilities`, { body: {} });
    await bench.send('GET', `/api/uploads/${sessionId}`);
    await bench.send('GET', `/c/${token}/api/uploads/${sessionId}`, { token: null });
    expect(await read('partway_requests_total{operation="getUpload",status="200"}')).toBe(2);
  });

  it.each([
    ['GET', '/no/such/path', 404],
    ['GET', '/api/no/such/path', 404],
    ['PATCH', '/api/uploads', 404],
  ])('outside of operations (%s %s) are one series, so that clients cannot create more', async (method, path, status) => {
    await bench.send(method, path);
    expect(await read(`partway_requests_total{operation="none",status="${status}"}`)).toBe(1);
  });
});

describe('problems', () => {
  it('are counted by code, from zero', async () => {
    expect(await read('partway_problems_total{code="UNAUTHORIZED"}')).toBe(0);
    await bench.send('GET', '/api/uploads', { token: 'a-token-that-nobody-has' });
    await bench.send('GET', '/api/uploads/nosuch');
    await bench.send('GET', '/nowhere');
    expect(await read('partway_problems_total{code="UNAUTHORIZED"}')).toBe(1);
    expect(await read('partway_problems_total{code="SESSION_NOT_FOUND"}')).toBe(1);
    expect(await read('partway_problems_total{code="ROUTE_NOT_FOUND"}')).toBe(1);
  });

  it('that Node refuses before the app sees them are counted, too', async () => {
    const edge = new EdgeBench();
    const { url } = await edge.listen();
    const connection = await RawConnection.to(url);
    connection.send('no HTTP at all\r\n\r\n');
    await connection.untilClosed();
    expect(await edge.metrics.expose()).toContain('partway_problems_total{code="INVALID_REQUEST"} 1\n');
  });
});

describe('sessions', () => {
  it('are counted by status while they have not ended, and their events for good', async () => {
    const { sessionId } = await bench.create({ key: 'a' });
    await bench.create({ key: 'b' });
    await bench.ask('DELETE', `/api/uploads/${sessionId}`);
    await bench.createCompleted({ key: 'c' });
    expect(await read('partway_sessions{status="open"}')).toBe(1);
    expect(await read('partway_sessions{status="completing"}')).toBe(0);
    expect(await read('partway_declared_bytes{state="unfinished"}')).toBe(SMALL_FILE.length);
    expect(await read('partway_declared_bytes{state="completed"}')).toBe(SMALL_FILE.length);
    expect(await read('partway_session_events_total{event="created"}')).toBe(3);
    expect(await read('partway_session_events_total{event="aborted"}')).toBe(1);
    expect(await read('partway_session_events_total{event="completed"}')).toBe(1);
    expect(bench.audited.map(({ event }) => event)).toContain('completed');
  });

  it('add up the parts and bytes that their clients report, not those of a client that was replaced', async () => {
    const { sessionId } = await bench.create();
    const report = (clientId: string, partNumbers: number[]) =>
      bench.send('POST', `/api/uploads/${sessionId}/report`, {
        body: { clientId, parts: partNumbers.map((partNumber) => ({ partNumber, etag: '"e"' })) },
      });
    await report('old', [1]);
    await report('new', [2, 3]);
    expect((await report('old', [1, 2, 3])).status).toBe(409);
    expect(await read('partway_reported_parts_total')).toBe(3);
    expect(await read('partway_reported_bytes_total')).toBe(SMALL_FILE.length);
    expect(await read('partway_held_bytes')).toBe(SMALL_FILE.length);
  });

  it('are left out where the session store does not answer, and everything else is there', async () => {
    await bench.create();
    expect(await read('partway_session_store_up')).toBe(1);
    await bench.sessions.close();
    // The token of the bench is in no database.
    const text = await (await bench.send('GET', '/metrics')).text();
    expect(text).toContain('partway_session_store_up 0\n');
    expect(text).not.toMatch(/^partway_sessions\{/m);
    expect(text).not.toMatch(/^partway_declared_bytes\{/m);
    expect(text).not.toMatch(/^partway_held_bytes /m);
    expect(text).toContain('partway_session_events_total{event="created"} 1\n');
    expect(bench.logged.some(({ level }) => level === 'warn')).toBe(true);
  });
});

describe('the object store', () => {
  it('is counted and timed by call and outcome', async () => {
    await bench.create();
    bench.objects.failNext('createMultipartUpload', 'full');
    await bench.send('POST', '/api/uploads', { body: { ...SMALL_FILE_REQUEST, key: 'b' } });
    bench.objects.failNext('createMultipartUpload', new TypeError('a bug'));
    await bench.send('POST', '/api/uploads', { body: { ...SMALL_FILE_REQUEST, key: 'c' } });
    for (const outcome of ['ok', 'full', 'error']) {
      const series = `partway_object_store_calls_total{operation="createMultipartUpload",outcome="${outcome}"}`;
      expect(await read(series), outcome).toBe(1);
    }
    expect(await read('partway_object_store_call_duration_seconds_count{operation="createMultipartUpload"}')).toBe(3);
  });

  it('is not called for presigned URLs, so those are counted apart', async () => {
    const { sessionId } = await bench.create();
    await bench.ask('POST', `/api/uploads/${sessionId}/parts/presign`, { body: { partNumbers: [1, 2, 3] } });
    expect(await read('partway_presigned_urls_total')).toBe(3);
  });
});

describe('sweeps', () => {
  async function sweepOnce(): Promise<void> {
    let sweeps = 0;
    const sweeper = startSweeper(bench.deps, 60_000, (sweep) => {
      bench.metrics.swept(sweep);
      sweeps += 1;
    });
    await vi.waitFor(() => expect(sweeps).toBe(1), 30_000);
    await sweeper.stop();
  }

  it('are counted with their results, their time and when the last one ended', async () => {
    expect(await read('partway_sweep_last_success_timestamp_seconds')).toBe(0);
    await bench.create({ key: 'a' });
    await bench.create({ key: 'b' });
    bench.clock.advance(8 * 86_400_000);
    bench.objects.failNext('abortMultipartUpload', new ObjectStoreError('refused', 'AccessDenied'));
    await sweepOnce();
    expect(await read('partway_sweeps_total{outcome="ok"}')).toBe(1);
    expect(await read('partway_sweep_results_total{result="failed"}')).toBe(1);
    expect(await read('partway_sweep_results_total{result="expired"}')).toBe(1);
    expect(await read('partway_sweep_duration_seconds_count')).toBe(1);
    expect(await read('partway_sweep_last_success_timestamp_seconds')).toBe(bench.clock.at / 1_000);
  });

  it('that break off do not count as a success', async () => {
    await bench.sessions.close();
    await sweepOnce();
    const text = await bench.metrics.expose();
    expect(text).toContain('partway_sweeps_total{outcome="error"} 1\n');
    expect(text).toContain('partway_sweep_last_success_timestamp_seconds 0\n');
  });
});

describe('events of a server with a webhook', () => {
  beforeEach(() => {
    bench = new ControlPlaneBench({ hasWebhook: true });
  });

  /** Leases the event that has been due for longest and sends it to a webhook with this answer. */
  async function deliverOne(status: number): Promise<void> {
    const { outbox } = bench.sessions;
    const { now, log } = bench.deps;
    const [event] = await outbox.lease(now(), now() + 30_000, 1);
    if (event === undefined) throw new Error('nothing is due');
    const deps = { outbox, now, log, random: () => 0, onAttempt: bench.metrics.eventDelivered };
    const sign = () => ({ headers: {}, body: '' });
    const post = async () => ({ status, retryAfter: undefined });
    await deliver({ ...deps, sign, post }, event, new AbortController().signal);
  }

  it('are counted while they have not arrived, with the age of the oldest that still may', async () => {
    const oldest = 'partway_event_oldest_pending_seconds';
    expect(await read(oldest)).toBe(0);
    for (const key of ['a', 'b', 'c']) {
      await bench.create({ key });
      bench.clock.advance(10_000);
    }
    expect(await read('partway_events{status="pending"}')).toBe(3);
    expect(await read(oldest)).toBe(30);
    await deliverOne(410);
    expect(await read('partway_events{status="dead"}')).toBe(1);
    expect(await read('partway_events{status="pending"}')).toBe(2);
    expect(await read(oldest)).toBe(20);
    for (const status of [200, 204]) await deliverOne(status);
    expect(await read('partway_events{status="pending"}')).toBe(0);
    expect(await read(oldest)).toBe(0);
  });

  it('are timed and counted attempt by attempt, from zero', async () => {
    const count = (outcome: string) => read(`partway_event_deliveries_total{outcome="${outcome}"}`);
    expect(await count('delivered')).toBe(0);
    await bench.create();
    await deliverOne(500);
    bench.clock.advance(60_000);
    await deliverOne(200);
    await bench.create({ key: 'another' });
    await deliverOne(410);
    expect(await count('failed')).toBe(1);
    expect(await count('delivered')).toBe(1);
    expect(await count('dead')).toBe(1);
    expect(await read('partway_event_delivery_duration_seconds_count')).toBe(3);
  });

  it('are left out where the session store does not answer, and where there is no webhook', async () => {
    await bench.create();
    await bench.sessions.close();
    const withoutWebhook = new ControlPlaneBench();
    await withoutWebhook.create();
    for (const of of [bench, withoutWebhook]) {
      const text = await (await of.send('GET', '/metrics')).text();
      expect(text).not.toMatch(/^partway_events\{/m);
      expect(text).not.toMatch(/^partway_event_oldest_pending_seconds /m);
    }
  });
});

describe('live streams', () => {
  it('are counted while they are open', async () => {
    const { sessionId } = await bench.create();
    const headers = { accept: 'text/event-stream' };
    const stream = await bench.send('GET', `/api/uploads/${sessionId}/progress`, { headers });
    expect(await read('partway_progress_streams')).toBe(1);
    bench.shutdown.abort();
    await stream.text();
    expect(await read('partway_progress_streams')).toBe(0);
  });
});

describe('the process', () => {
  it('shows a pause of the event loop, and not the time between two looks at it', async () => {
    const watching = bench.metrics.watchProcess();
    const longest = 'partway_event_loop_delay_seconds{quantile="1"}';
    const turn = () => new Promise((resolve) => setTimeout(resolve, 30));
    await turn();
    await read(longest);
    // The first sample after a reading only begins to measure.
    await turn();
    const until = performance.now() + 150;
    while (performance.now() < until);
    await turn();
    expect(await read(longest)).toBeGreaterThan(0.1);
    // A busy machine has pauses of its own, but not in every reading.
    await expect
      .poll(async () => {
        await turn();
        return read('partway_event_loop_delay_seconds{quantile="0.5"}');
      })
      .toBeLessThan(0.01);
    expect(await read('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(await read('partway_build_info{version="1.2.3"}')).toBe(1);
    watching.stop();
  });
});
