import { describe, expect, it } from 'vitest';
import { openUpload } from '../../../src/client/transfer/open-upload.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { EngineBench } from '../../support/client/engine-bench.ts';
import { recordedSource, seededBytes } from '../../support/client/sources.ts';

const PART = 5 * MiB;
const bytes = seededBytes(2 * PART, 71);
const MULTIPART = { strategy: 'multipart', partSize: PART } as const;

describe('opening an upload', () => {
  it('creates the session of a file, and finds it again by the content alone', async () => {
    const { controlPlane } = await EngineBench.start();
    const first = await openUpload({ controlPlane, source: recordedSource(bytes), request: MULTIPART });
    expect(first).toMatchObject({
      created: true,
      session: { status: 'open', key: 'video.mp4', size: bytes.length, partCount: 2 },
    });
    const again = await openUpload({ controlPlane, source: recordedSource(bytes), request: MULTIPART });
    expect(again).toMatchObject({ created: false, session: { sessionId: first.session.sessionId } });
    const renamed = recordedSource(bytes, { name: 'renamed.mp4' });
    const elsewhere = await openUpload({ controlPlane, source: renamed, request: { ...MULTIPART, key: 'video.mp4' } });
    expect(elsewhere).toMatchObject({ created: false, session: { sessionId: first.session.sessionId } });
  });

  it('makes another session for other content', async () => {
    const { controlPlane } = await EngineBench.start();
    const { session } = await openUpload({ controlPlane, source: recordedSource(bytes) });
    const other = recordedSource(seededBytes(2 * PART, 72));
    const opened = await openUpload({ controlPlane, source: other, request: { key: 'other.mp4' } });
    expect(opened.created).toBe(true);
    expect(opened.session.sessionId).not.toBe(session.sessionId);
  });

  it('takes the strategy that size and network suggest, where none was asked for', async () => {
    const { controlPlane } = await EngineBench.start();
    const source = recordedSource(bytes);
    const { session } = await openUpload({ controlPlane, source, preferredStrategy: 'chunked' });
    expect(session).toMatchObject({ strategy: 'chunked', partSize: 10 * MiB });
  });

  it('takes the plan that a person asked for, whatever is suggested', async () => {
    const { controlPlane } = await EngineBench.start();
    const source = recordedSource(bytes);
    const { session } = await openUpload({ controlPlane, source, request: MULTIPART, preferredStrategy: 'single' });
    expect(session).toMatchObject(MULTIPART);
  });

  it('keeps the plan of a session that has stored parts, against a suggestion', async () => {
    const bench = await EngineBench.start();
    const { controlPlane } = bench;
    const { session } = await openUpload({ controlPlane, source: recordedSource(bytes), request: MULTIPART });
    await bench.storeParts(session, bytes, [1]);
    const again = await openUpload({ controlPlane, source: recordedSource(bytes), preferredStrategy: 'chunked' });
    expect(again).toMatchObject({ created: false, session: { sessionId: session.sessionId, ...MULTIPART } });
  });

  it('refuses a plan that a person asks for against stored parts, and says whose they are', async () => {
    const bench = await EngineBench.start();
    const { controlPlane } = bench;
    const { session } = await openUpload({ controlPlane, source: recordedSource(bytes), request: MULTIPART });
    await bench.storeParts(session, bytes, [1]);
    const request = { strategy: 'chunked' } as const;
    await expect(openUpload({ controlPlane, source: recordedSource(bytes), request })).rejects.toMatchObject({
      code: 'SESSION_PLAN_DIFFERS',
      facts: { sessionId: session.sessionId },
    });
  });

  it('cuts the file differently under the same session while nothing is stored', async () => {
    const { controlPlane } = await EngineBench.start();
    const { session } = await openUpload({ controlPlane, source: recordedSource(bytes), request: MULTIPART });
    const request = { strategy: 'single' } as const;
    const again = await openUpload({ controlPlane, source: recordedSource(bytes), request });
    expect(again.session).toMatchObject({ sessionId: session.sessionId, strategy: 'single', partCount: 1 });
  });

  it('sends nothing, and refuses before it would, where the key is taken', async () => {
    const bench = await EngineBench.start();
    const { controlPlane } = bench;
    const source = recordedSource(bytes);
    await bench.run(await bench.open(source), source).result;
    const sent = bench.proxy.puts.length;
    const other = recordedSource(seededBytes(PART, 73));
    await expect(openUpload({ controlPlane, source: other })).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
    const overwriting = await openUpload({ controlPlane, source: other, request: { overwrite: true } });
    expect(overwriting.created).toBe(true);
    expect(bench.proxy.puts.length).toBe(sent);
  });
});
