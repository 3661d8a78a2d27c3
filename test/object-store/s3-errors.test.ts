import { describe, expect, it } from 'vitest';
import { ObjectStoreError } from '../../src/object-store/port.ts';
import { toObjectStoreError } from '../../src/object-store/s3-errors.ts';

const withCode = <Kind extends Error>(error: Kind, code: string) => Object.assign(error, { code });

describe('an error without an answer of the object store', () => {
  it.each(['ECONNRESET', 'EACCES', 'EINVAL', 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'HPE_INVALID_CONSTANT', 'ENEWCODE'])(
    'of the connection means that the object store is unavailable: %s',
    (code) => {
      const error = toObjectStoreError(withCode(new Error('connect'), code));
      expect(error).toBeInstanceOf(ObjectStoreError);
      expect(error).toMatchObject({ failure: 'unavailable' });
    },
  );

  it.each([
    withCode(new TypeError('Invalid character in header content'), 'ERR_INVALID_CHAR'),
    withCode(new RangeError('Port should be >= 0 and < 65536'), 'ERR_SOCKET_BAD_PORT'),
    new ReferenceError('store is not defined'),
  ])('stays what it is where a call of ours was wrong: %s', (mistake) => {
    expect(toObjectStoreError(mistake)).toBe(mistake);
  });
});
