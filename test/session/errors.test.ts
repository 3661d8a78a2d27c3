import { describe, expect, it } from 'vitest';
import { CLIENT_ERROR_CODES, isUploadError, SERVICE_ERROR_CODES, UploadError } from '../../src/session/errors.ts';

describe('an UploadError', () => {
  it('has a code for programs, a detail and a hint for people, and facts', () => {
    const cause = new Error('below');
    const error = new UploadError('PARTS_MISSING', 'Two parts are missing.', {
      cause,
      hint: 'Send them.',
      facts: { missing: [{ first: 2, last: 3 }] },
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'UploadError', code: 'PARTS_MISSING', hint: 'Send them.', cause });
    expect(error.detail).toBe('Two parts are missing.');
    expect(error.message).toBe(error.detail);
    expect(error.facts).toEqual({ missing: [{ first: 2, last: 3 }] });
    expect(error.stack).toContain('Two parts are missing.');
  });

  it('has no hint, no facts and no cause unless they are given', () => {
    const error = new UploadError('INTERNAL', 'A bug.');
    expect(error.hint).toBeUndefined();
    expect(error.facts).toEqual({});
    expect('cause' in error).toBe(false);
  });

  it('is distinguished from other errors, by its code if one is given', () => {
    const error = new UploadError('STORE_FULL', 'Full.');
    expect(isUploadError(error)).toBe(true);
    expect(isUploadError(error, 'STORE_FULL')).toBe(true);
    expect(isUploadError(error, 'INTERNAL', 'STORE_FULL')).toBe(true);
    expect(isUploadError(error, 'INTERNAL')).toBe(false);
    expect(isUploadError(new TypeError('a bug'))).toBe(false);
    expect(isUploadError({ code: 'STORE_FULL' }, 'STORE_FULL')).toBe(false);
    expect(isUploadError(undefined)).toBe(false);
  });

  it('has codes that all differ, whichever side they come from', () => {
    const codes = [...SERVICE_ERROR_CODES, ...CLIENT_ERROR_CODES];
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.every((code) => /^[A-Z]+(_[A-Z]+)*$/.test(code))).toBe(true);
  });
});
