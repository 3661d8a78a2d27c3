import { describe, expect, it } from 'vitest';
import { PATHS, pathOf } from '../../src/contract/paths.ts';

describe('a path of the control plane', () => {
  it('has the session id filled in', () => {
    expect(pathOf(PATHS.presign, 'ses_01kaz3')).toBe('/api/uploads/ses_01kaz3/parts/presign');
    expect(pathOf(PATHS.upload, 'ses_01kaz3')).toBe('/api/uploads/ses_01kaz3');
  });

  it.each(['a/b', 'a?b', 'a#b', 'a b', '$&', '$1', 'ü', '{sessionId}'])('keeps the mistyped id %j in its place', (id) => {
    const url = new URL(pathOf(PATHS.complete, id), 'http://partway.test');
    const [, api, uploads, segment, complete, ...more] = url.pathname.split('/');
    expect([api, uploads, complete, more, url.search, url.hash]).toEqual(['api', 'uploads', 'complete', [], '', '']);
    expect(decodeURIComponent(segment ?? '')).toBe(id);
  });

  it('is itself where there is no id in it', () => {
    expect(pathOf(PATHS.uploads)).toBe('/api/uploads');
  });
});
