import { describe, expect, it } from 'vitest';
import { ControlPlaneBench, type LogLine, SMALL_FILE } from '../../support/server/control-plane.ts';

/** Returns the log lines of the request, and the id that its client got. */
async function logOf(bench: ControlPlaneBench, ask: () => Promise<Response>): Promise<{ lines: LogLine[]; requestId: string }> {
  const before = bench.logged.length;
  const response = await ask();
  await response.text();
  return { lines: bench.logged.slice(before), requestId: String(response.headers.get('x-request-id')) };
}

describe('every log line of a request has the id that its client got', () => {
  it('where the service heals a session meanwhile', async () => {
    const bench = new ControlPlaneBench();
    const { sessionId } = await bench.create();
    await bench.putParts(sessionId, SMALL_FILE);
    bench.objects.sweepUpload(String((await bench.session(sessionId)).uploadId));
    const { lines, requestId } = await logOf(bench, () => bench.send('GET', `/api/uploads/${sessionId}/parts`));
    expect(lines.map(({ message, fields }) => [message, fields])).toEqual([
      ['the object store lost the parts of a session', expect.objectContaining({ requestId, sessionId })],
      ['request', expect.objectContaining({ requestId, status: 200 })],
    ]);
  });

  it('where it fails', async () => {
    const bench = new ControlPlaneBench();
    bench.objects.failNext('createMultipartUpload', 'unavailable');
    const { lines, requestId } = await logOf(bench, () =>
      bench.send('POST', '/api/uploads', { body: { fileName: 'a', size: 1 }, headers: { 'x-request-id': 'id-of-a-proxy' } }),
    );
    expect(requestId).toBe('id-of-a-proxy');
    expect(lines.map(({ message, fields }) => [message, fields])).toEqual([
      ['request failed', expect.objectContaining({ requestId, code: 'STORE_UNAVAILABLE' })],
      ['request', expect.objectContaining({ requestId, status: 503 })],
    ]);
  });

  it('where a live stream breaks after it began', async () => {
    let broken = false;
    const bench = new ControlPlaneBench({
      aroundSessions: (method, call) => (broken && method === 'get' ? Promise.reject(new Error('disk')) : call()),
    });
    const { sessionId } = await bench.create();
    const { lines, requestId } = await logOf(bench, async () => {
      const headers = { accept: 'text/event-stream' };
      const response = await bench.send('GET', `/api/uploads/${sessionId}/progress`, { headers });
      broken = true;
      return response;
    });
    expect(lines.map(({ message }) => message)).toEqual(['request', 'a progress stream broke']);
    for (const { fields } of lines) expect(fields).toMatchObject({ requestId });
  });

  it('where it is not ready', async () => {
    const bench = new ControlPlaneBench();
    bench.objects.failNext('checkBucket', 'unavailable');
    const { lines, requestId } = await logOf(bench, () => bench.send('GET', '/readyz'));
    expect(lines.map(({ message }) => message)).toEqual([
      expect.stringContaining('not ready: the bucket'),
      'request failed',
      'request',
    ]);
    for (const { fields } of lines) expect(fields).toMatchObject({ requestId });
  });
});
