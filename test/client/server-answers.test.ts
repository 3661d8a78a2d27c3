import { describe, expect, it } from 'vitest';
import { ControlPlane } from '../../src/client/control-plane/control-plane.ts';
import { probeUrl } from '../../src/client/network/probes.ts';
import { bytesSource } from '../../src/client/source/byte-source.ts';
import { runUpload } from '../../src/client/transfer/upload.ts';
import type { UploadError } from '../../src/session/errors.ts';
import { aSignedPart, endlessAnswer, hostileControlPlane, type Lie } from '../support/server/hostile-control-plane.ts';
import { aWireSession } from '../support/server/wire-sessions.ts';

const SESSION = 'GET /api/uploads/{id}';
const PARTS = 'GET /api/uploads/{id}/parts';
const PRESIGN = 'POST /api/uploads/{id}/parts/presign';
const ID = aWireSession().sessionId;

async function clientOf(lies: Record<string, Lie>) {
  const { url, requests } = await hostileControlPlane(lies);
  return { controlPlane: new ControlPlane({ server: url, token: 'a-token' }), requests, url };
}

async function errorOf(call: Promise<unknown>): Promise<UploadError> {
  return call.then(
    (value) => Promise.reject(new Error(`it was believed: ${JSON.stringify(value).slice(0, 200)}`)),
    (error: UploadError) => error,
  );
}

async function upload(lies: Record<string, Lie>) {
  const { controlPlane, requests, url } = await clientOf(lies);
  const source = bytesSource(new Uint8Array(15 * 1024 ** 2));
  const session = aWireSession({ size: source.size, partSize: 5 * 1024 ** 2 });
  const error = await errorOf(runUpload({ controlPlane, session, source, signal: AbortSignal.timeout(20_000), drainMs: 0 }));
  return { error, requests, url };
}

describe('an id that cannot be one', () => {
  const wrong = ['../../../.docker/config', 'a/b', '..', '-rf', 'a b', '$(id)', '', 'x'.repeat(101), 7, null, undefined];

  it.each(wrong)('%j is taken from no answer', async (sessionId) => {
    const lie = { sessionId };
    const { controlPlane } = await clientOf({
      'POST /api/uploads': lie,
      'GET /api/uploads': { uploads: [aWireSession(lie as never)] },
      [SESSION]: lie,
      [PARTS]: lie,
      'POST /api/uploads/{id}/complete': lie,
      'DELETE /api/uploads/{id}': lie,
      'GET /api/uploads/{id}/progress': lie,
      'GET /api/uploads/{id}/object': lie,
      'POST /api/uploads/{id}/capabilities': lie,
    });
    const errors = await Promise.all(
      [
        controlPlane.create({ fileName: 'a', size: 1 }),
        controlPlane.list(),
        controlPlane.get(ID),
        controlPlane.parts(ID),
        controlPlane.complete(ID, {}),
        controlPlane.abort(ID),
        controlPlane.progress(ID),
        controlPlane.object(ID),
        controlPlane.grantCapability(ID),
      ].map(errorOf),
    );
    for (const error of errors) expect(error).toMatchObject({ code: 'INVALID_ANSWER' });
  });

  it('is not uploaded to, wherever the session came from', async () => {
    const { controlPlane, requests } = await clientOf({});
    const source = bytesSource(new Uint8Array(3));
    const session = aWireSession({ sessionId: '../../x', size: 3 });
    expect((await errorOf(runUpload({ controlPlane, session, source }))).code).toBe('INVALID_ANSWER');
    expect(requests).toEqual([]);
  });

  it('is also one that was not asked for', async () => {
    const other = { sessionId: 'ses_other' };
    const { controlPlane } = await clientOf({
      [SESSION]: other,
      [PARTS]: other,
      'GET /api/uploads/{id}/object': other,
      'GET /api/uploads/{id}/progress': other,
    });
    const calls = [controlPlane.get(ID), controlPlane.parts(ID), controlPlane.object(ID)];
    for (const call of [...calls, controlPlane.progress(ID)])
      expect((await errorOf(call)).message).toContain(`it is about session ses_other, and ${ID} was asked for`);
  });
});

describe('an answer that cannot be', () => {
  it.each<[string, object]>([
    ['a part size of 0', { partSize: 0 }],
    ['a part size of text', { partSize: '5242880' }],
    ['no part size', { partSize: null }],
    ['a part size that is not whole', { partSize: 5242880.5 }],
    ['a part size below 0', { partSize: -1 }],
    ['parts of one byte', { partSize: 1, partCount: 15 * 1024 ** 2 }],
    ['another number of parts than the size makes', { partCount: 4 }],
    ['more than 10,000 parts', { size: 10_001, partSize: 1, partCount: 10_001 }],
    ['a size over 5 TiB', { size: 2 ** 43 }],
    ['a status that there is not', { status: 'toString' }],
    ['a date that is none', { createdAt: 'soon' }],
    ['a checksum that is none', { checksum: 'x' }],
    ['a name of a megabyte', { fileName: 'x'.repeat(500_000) }],
  ])('%s ends in a clear error', async (_, lie) => {
    const { controlPlane, url } = await clientOf({ [SESSION]: lie });
    const error = await errorOf(controlPlane.get(ID));
    expect(error).toMatchObject({ code: 'INVALID_ANSWER' });
    expect(error.message).toContain(`The partway server at ${url} gave an answer that cannot be: `);
    expect(error.message.length).toBeLessThan(400);
  });

  it('is not waited out like an outage: the upload ends at once', async () => {
    const { error, requests } = await upload({ [PARTS]: { missing: [{ first: 1, last: 1e15 }] } });
    expect(error.code).toBe('INVALID_ANSWER');
    expect(requests.filter((request) => request === PARTS)).toHaveLength(1);
  });

  it.each<[string, object]>([
    ['a trillion missing parts', { missing: [{ first: 1, last: 1e12 }] }],
    ['ranges that overlap, again and again', { missing: Array.from({ length: 9_000 }, () => ({ first: 1, last: 10_000 })) }],
    ['more ranges than there can be parts', { missing: Array.from({ length: 10_001 }, () => ({ first: 1, last: 1 })) }],
    ['missing parts that are not in the plan', { missing: [{ first: 1, last: 4 }] }],
    ['parts that are neither stored nor missing', { missing: [{ first: 1, last: 2 }] }],
    ['a part that is stored twice', { parts: [1, 1].map(aStoredPart), missing: [{ first: 2, last: 3 }] }],
    ['a part that is stored and missing', { parts: [1].map(aStoredPart) }],
  ])('%s end the upload', async (_, lie) => {
    expect((await upload({ [PARTS]: lie })).error).toMatchObject({ code: 'INVALID_ANSWER' });
  });

  it.each<[string, object]>([
    ['to a file', { url: 'file:///etc/passwd' }],
    ['over a scheme that is none', { url: 'javascript:alert(1)' }],
    ['that is no URL', { url: '//store/part' }],
    ['with a user', { url: 'http://user:secret@127.0.0.1/part' }],
    ['with a Host of its own', { headers: { host: 'metadata.internal' } }],
    ['with a header that is not for parts', { headers: { authorization: 'Bearer x' } }],
    ['with another framing', { headers: { 'transfer-encoding': 'chunked' } }],
    ['with a line break in a header', { headers: { 'x-amz-a': 'b\r\nhost: other' } }],
    ['with a line break in the name of a header', { headers: { 'x-amz-a\r\nhost': 'b' } }],
    ['with a number for a header', { headers: { 'content-length': 5 } }],
    ['with another length', { headers: { 'content-length': '7' } }],
    ['with other bytes', { start: 1, end: 5 * 1024 ** 2 + 1 }],
    ['for a part that is not in the plan', { partNumber: 4, start: 15 * 1024 ** 2, end: 15 * 1024 ** 2 }],
    ['for part 0', { partNumber: 0 }],
    ['for another part', { partNumber: 3, start: 10 * 1024 ** 2, end: 15 * 1024 ** 2 }],
  ])('a part URL %s is not used', async (_, changes) => {
    const { error, requests } = await upload({ [PRESIGN]: { parts: [aSignedPart('http://127.0.0.1:9', changes)] } });
    expect(error).toMatchObject({ code: 'INVALID_ANSWER' });
    expect(error.message).not.toContain('secret');
    // Once for each of the two parts in flight.
    expect(requests.filter((request) => request === PRESIGN).length).toBeLessThanOrEqual(2);
    expect(requests.filter((request) => request.startsWith('PUT'))).toEqual([]);
  });

  it('takes what newer servers add as it is', async () => {
    const { controlPlane } = await clientOf({ [SESSION]: { colour: 'blue' } });
    expect(await controlPlane.get(ID)).toMatchObject({ sessionId: ID, colour: 'blue' });
  });
});

describe('an answer without an end', () => {
  it('is cut, and takes no more memory than the bound', async () => {
    const { controlPlane } = await clientOf({ [SESSION]: endlessAnswer, 'GET /api/uploads': endlessAnswer });
    const before = process.memoryUsage.rss();
    const errors = await Promise.all([errorOf(controlPlane.get(ID)), errorOf(controlPlane.list())]);
    for (const error of errors) expect(error.message).toMatch(/it has more than \d+ bytes/);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 ** 2);
  });

  it('is not read by a probe, whose connection ends', async () => {
    let ended = () => {};
    const closed = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const { url } = await hostileControlPlane({
      'GET /healthz': (request, response) => {
        response.on('close', ended);
        endlessAnswer(request, response);
      },
    });
    expect(await probeUrl(`${url}/healthz`, { timeoutMs: 10_000 })).toBe(200);
    await closed;
  });

  it('of the words of a problem is cut short as well', async () => {
    const { controlPlane } = await clientOf({
      [SESSION]: (_, response) => {
        const problem = { type: '/problems/internal', code: 'INTERNAL', detail: 'x'.repeat(900_000) };
        response.writeHead(500, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
      },
    });
    expect((await errorOf(controlPlane.get(ID))).message.length).toBeLessThan(400);
  });
});

function aStoredPart(partNumber: number) {
  return { partNumber, etag: '"e"', checksum: 'AAAAAA==', size: 5 * 1024 ** 2 };
}
