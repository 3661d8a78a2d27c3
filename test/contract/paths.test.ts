import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PATHS, pathOf } from '../../src/contract/paths.ts';

function pathIfAny(id: string): string | undefined {
  try {
    return pathOf(PATHS.complete, id);
  } catch {
    return undefined;
  }
}

describe('a path of the control plane', () => {
  it('has the session id filled in', () => {
    expect(pathOf(PATHS.presign, 'ses_01kaz3')).toBe('/api/uploads/ses_01kaz3/parts/presign');
    expect(pathOf(PATHS.upload, 'ses_01kaz3')).toBe('/api/uploads/ses_01kaz3');
  });

  const mistyped = [
    '',
    '.',
    '..',
    '%2e%2e',
    'a/b',
    'a\\b',
    'a?b',
    'a#b',
    'a b',
    'a\n',
    '$&',
    'ü',
    '{sessionId}',
    'a'.repeat(101),
  ];

  it.each(mistyped)('refuses the mistyped id %j, with an error that says why', (id) => {
    expect(() => pathOf(PATHS.complete, id)).toThrow(
      expect.objectContaining({ code: 'SESSION_NOT_FOUND', detail: expect.stringContaining(JSON.stringify(id)) }),
    );
  });

  it('stays the same as a URL with any valid id', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        const path = pathIfAny(id);
        if (path !== undefined) expect(new URL(path, 'http://partway.test').pathname).toBe(`/api/uploads/${id}/complete`);
      }),
    );
  });

  it('without an id does not change', () => {
    expect(pathOf(PATHS.uploads)).toBe('/api/uploads');
  });
});
