import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canChange,
  canSee,
  checkNewObject,
  type Grant,
  hasScope,
  type Limits,
  NO_LIMITS,
  SCOPES,
} from '../../src/session/access.ts';
import { CAMERA_TYPES } from '../../src/session/camera-types.ts';

const session = { sessionId: 'ses_1', owner: 'alice', bucket: 'uploads', key: 'team-a/film.mov' };

function aGrant(changes: Partial<Grant> = {}): Grant {
  return {
    owner: 'alice',
    tokenId: 'tok_1',
    limitKey: 'tok_1',
    scopes: ['upload'],
    limits: NO_LIMITS,
    sessionId: null,
    expiresAt: null,
    ...changes,
  };
}
const limited = (limits: Partial<Limits>): Limits => ({ ...NO_LIMITS, ...limits });

describe('a session', () => {
  it.each<[string, Partial<Grant>, boolean, boolean]>([
    ['its owner', {}, true, true],
    ['its owner without the scope upload', { scopes: [] }, false, false],
    ['somebody else', { owner: 'bob' }, false, false],
    ['who may read', { owner: 'bob', scopes: ['read'] }, true, false],
    ['who may read and upload', { owner: 'bob', scopes: ['read', 'upload'] }, true, false],
    ['its owner who may only read', { scopes: ['read'] }, true, false],
    ['an admin', { owner: 'bob', scopes: ['admin'] }, true, true],
    ['its owner, limited to its prefix', { limits: limited({ keyPrefix: 'team-a/' }) }, true, true],
    ['its owner, limited to another prefix', { limits: limited({ keyPrefix: 'team-b/' }) }, false, false],
    ['its owner, limited to another bucket', { limits: limited({ bucket: 'other' }) }, false, false],
    ['an admin of another prefix', { owner: 'bob', scopes: ['admin'], limits: limited({ keyPrefix: 'team-b/' }) }, false, false],
    ['its capability', { owner: 'alice', scopes: [], sessionId: 'ses_1' }, true, true],
    ['a capability of another session of its owner', { scopes: [], sessionId: 'ses_2' }, false, false],
  ])('to %s', (_, changes, visible, changeable) => {
    const grant = aGrant(changes);
    expect({ visible: canSee(grant, session), changeable: canChange(grant, session) }).toEqual({ visible, changeable });
  });

  it('cannot be changed by a caller that cannot see it', () => {
    const text = fc.constantFrom('alice', 'bob', 'team-a/', 'team-b/', '');
    const grants = fc.record({
      owner: text,
      tokenId: fc.constant('t'),
      limitKey: fc.constant('t'),
      scopes: fc.subarray([...SCOPES]),
      limits: text.map((keyPrefix) => limited({ keyPrefix })),
      sessionId: fc.constantFrom(null, 'ses_1', 'ses_2'),
      expiresAt: fc.constant(null),
    });
    fc.assert(
      fc.property(grants, (grant) => {
        if (canChange(grant, session)) expect(canSee(grant, session)).toBe(true);
      }),
    );
  });
});

describe('the scope admin', () => {
  it('includes the others, and no other includes it', () => {
    for (const scope of SCOPES) expect(hasScope(aGrant({ scopes: ['admin'] }), scope)).toBe(true);
    expect(hasScope(aGrant({ scopes: ['read', 'upload'] }), 'admin')).toBe(false);
  });
});

describe('a new object', () => {
  const object = { bucket: 'uploads', key: 'team-a/film.mov', size: 1_000, contentType: 'video/mp4' };

  it.each<[string, Partial<Limits>, Partial<typeof object | { contentType: null }>]>([
    ['without limits', {}, {}],
    ['in the bucket', { bucket: 'uploads' }, {}],
    ['below the prefix', { keyPrefix: 'team-a/' }, {}],
    ['of just the size', { maxObjectSize: 1_000 }, {}],
    ['of just the type', { contentTypes: ['image/png', 'video/mp4'] }, {}],
    ['of the kind', { contentTypes: ['video/*'] }, {}],
    ['of the type in other letters', { contentTypes: ['Video/MP4'] }, { contentType: 'VIDEO/mp4' }],
    ['of a photo, named beside video', { contentTypes: ['video/*', 'image/png'] }, { contentType: 'image/png' }],
    ['of the type, with parameters', { contentTypes: ['video/mp4'] }, { contentType: 'video/mp4; codecs="avc1"' }],
  ])('may be made %s', (_, limits, changes) => {
    expect(() => checkNewObject(limited(limits), { ...object, ...changes })).not.toThrow();
  });

  it.each<[string, string, Partial<Limits>, Partial<typeof object | { contentType: null }>]>([
    ['in another bucket', 'KEY_NOT_ALLOWED', { bucket: 'other' }, {}],
    ['outside of the prefix', 'KEY_NOT_ALLOWED', { keyPrefix: 'team-b/' }, {}],
    ['where only letters that look the same are', 'KEY_NOT_ALLOWED', { keyPrefix: 'team-a/' }, { key: 'te\u0430m-a/film.mov' }],
    ['in other letters', 'KEY_NOT_ALLOWED', { keyPrefix: 'team-a/' }, { key: 'Team-a/film.mov' }],
    ['in the decomposed form of the prefix', 'KEY_NOT_ALLOWED', { keyPrefix: '\u00e9/' }, { key: 'e\u0301/x' }],
    ['a byte too large', 'OBJECT_TOO_LARGE', { maxObjectSize: 999 }, {}],
    ['of another type', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/quicktime', 'image/*'] }, {}],
    ['of a type that only begins so', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/mp'] }, {}],
    ['of a kind that only begins so', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/*'] }, { contentType: 'videos/mp4' }],
    ['of a document', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/*'] }, { contentType: 'application/pdf' }],
    ['of unknown bytes', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/*'] }, { contentType: 'application/octet-stream' }],
    ['of a photo', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/*'] }, { contentType: 'image/png' }],
    ['of MXF', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['video/mp4', 'image/*'] }, { contentType: 'application/mxf' }],
    ['without a type', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: ['*/*'] }, { contentType: null }],
    ['of any type where none is allowed', 'CONTENT_TYPE_NOT_ALLOWED', { contentTypes: [] }, {}],
  ])('may not be made %s: %s', (_, code, limits, changes) => {
    expect(() => checkNewObject(limited(limits), { ...object, ...changes })).toThrow(expect.objectContaining({ code }));
  });

  it.each([...CAMERA_TYPES])('of type %s may be made with video/*, and the documentation says so', (contentType) => {
    for (const type of [contentType, `${contentType.toUpperCase()}; version=1`])
      expect(() => checkNewObject(limited({ contentTypes: ['VIDEO/*'] }), { ...object, contentType: type })).not.toThrow();
    expect(readFileSync(new URL('../../docs/server.md', import.meta.url), 'utf8')).toContain(`\`${contentType}\``);
  });
});
