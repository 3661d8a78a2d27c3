import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import { type ByteSource, bytesSource } from '../../../src/client/source/byte-source.ts';
import { openFileSource } from '../../../src/client/source/file-source.ts';
import { openUpload } from '../../../src/client/transfer/open-upload.ts';
import type { UploadError } from '../../../src/session/errors.ts';
import { aFolder } from '../../support/client/sources.ts';
import { hostileControlPlane } from '../../support/server/hostile-control-plane.ts';
import { skipBecause } from '../../support/skip-because.ts';

const SMALL = new Uint8Array(3);

async function refusalOf(source: ByteSource, request: { key?: string; keyTemplate?: string } = {}) {
  const { url, requests } = await hostileControlPlane({});
  const controlPlane = new ControlPlane({ server: url, token: 'a-token' });
  const error = await openUpload({ controlPlane, source, request }).then(
    () => undefined,
    (thrown: UploadError) => thrown,
  );
  return { error, requests };
}

describe('a file that no object can hold is refused in words about the file, before the server is asked', () => {
  it.each<[string, string, { key?: string; keyTemplate?: string }, string]>([
    [
      'a line break in the name',
      'a\nb.mov',
      {},
      'The name of the file, "a\\nb.mov", cannot be the key of an object: it contains the control character U+000A.',
    ],
    [
      'a name that turns the direction',
      'a\u202eb.mov',
      { keyTemplate: 'x/{fileName}' },
      'it contains the control character U+202E.',
    ],
    [
      'a name of 300 bytes',
      `${'ü'.repeat(148)}.mov`,
      {},
      'it has a segment of 300 bytes between slashes; at most 255 are possible.',
    ],
    [
      'a key of 1,100 bytes',
      'a.mov',
      { key: `${'x'.repeat(99)}/${`${'x'.repeat(99)}/`.repeat(10)}x` },
      'The object key has 1101 bytes; at most 1024 are possible.',
    ],
    [
      'a key with fewer characters than that and more bytes',
      'a.mov',
      { key: `${'ü'.repeat(99)}/${`${'ü'.repeat(99)}/`.repeat(5)}x` },
      'The object key has 1195 bytes; at most 1024 are possible.',
    ],
    [
      'a segment of 256 bytes',
      'a.mov',
      { key: `x/${'y'.repeat(256)}/z` },
      'The object key has a segment of 256 bytes between slashes; at most 255 are possible.',
    ],
    [
      'a template of 1,100 characters',
      'a.mov',
      { keyTemplate: 'x'.repeat(1_100) },
      'The key template has 1100 characters; at most 1024 are possible.',
    ],
  ])('%s', async (_, name, request, words) => {
    const { error, requests } = await refusalOf(bytesSource(SMALL, name), request);
    expect(error).toMatchObject({ code: 'INVALID_KEY', hint: 'Name the object yourself with --key; the file keeps its name.' });
    expect(error?.message).toContain(words);
    expect(requests).toEqual([]);
  });

  it('a file of more than 5 TiB is refused without reading it', async () => {
    const size = 6 * 1024 ** 4;
    const source: ByteSource = {
      ...bytesSource(SMALL, 'long.mxf'),
      size,
      read: () => {
        throw new Error('it was read');
      },
    };
    const { error, requests } = await refusalOf(source);
    expect(error).toMatchObject({ code: 'SOURCE_TOO_LARGE' });
    expect(error?.message).toBe('long.mxf has 6597069766656 bytes (6.0 TiB); an object can have at most 5 TiB.');
    expect(requests).toEqual([]);
  });

  it.each<[string, { key?: string; keyTemplate?: string }]>([
    ['a key', { key: 'a.mov' }],
    ['a template without the name', { keyTemplate: 'x/{sessionId}' }],
  ])('a control character in the name is no reason to refuse the file where %s names the object', async (_, request) => {
    const { error, requests } = await refusalOf(bytesSource(SMALL, 'a\nb.mov'), request);
    expect(error).toBeUndefined();
    expect(requests).toEqual(['POST /api/uploads']);
  });
});

describe('a name that is not UTF-8', () => {
  const latin1 = Buffer.from('caf\xe9.mov', 'latin1');

  async function aLatin1File(): Promise<string> {
    const folder = await aFolder();
    await writeFile(Buffer.concat([Buffer.from(join(folder, '/')), latin1]), 'bytes');
    return folder;
  }

  it('is explained, with what to do, and not called a missing file', async (context) => {
    if (process.platform !== 'linux') skipBecause(context, 'other file systems take no such names');
    // As Node decodes the argument.
    const path = join(await aLatin1File(), latin1.toString());
    await expect(openFileSource(path)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: `${path} cannot be opened: the name "caf\ufffd.mov" is not UTF-8.`,
      hint: expect.stringContaining('Rename it'),
    });
  });

  it('is not blamed where there is no such file', async (context) => {
    if (process.platform !== 'linux') skipBecause(context, 'other file systems take no such names');
    const folder = await aLatin1File();
    for (const name of ['th\ufffd.mov', 'caf\ufffd.mov/x\ufffd'])
      await expect(openFileSource(join(folder, name))).rejects.toMatchObject({
        code: expect.stringMatching(/^SOURCE_(NOT_FOUND|UNREADABLE)$/),
      });
    await expect(openFileSource(join(folder, 'th\ufffd.mov'))).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });

  it('is opened like any other where it really holds U+FFFD', async () => {
    const path = join(await aFolder(), 'caf\ufffd.mov');
    await writeFile(path, 'bytes');
    const source = await openFileSource(path);
    expect(source.size).toBe(5);
    await source.close();
  });
});
