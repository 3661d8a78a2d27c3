import { describe, expect, it } from 'vitest';
import { tryForgery } from '../../src/forgery/try-forgery.ts';
import { judgeForgery } from '../../src/forgery/verdict.ts';
import { createTestBucket, sharedMinio } from '../support/store/minio.ts';

const error = (status: number, code: string, message = '') => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});

describe('a forged part', () => {
  it.each([
    [error(404, 'NoSuchUpload'), 'open'],
    [error(403, 'AccessDenied', 'Access Denied.'), 'shielded'],
    [error(403, 'SignatureDoesNotMatch'), 'no-hole'],
    [error(403, 'InvalidAccessKeyId'), 'no-such-id'],
    // Concerns the date of the request, not the right to write.
    [error(403, 'AccessDenied', 'Request has expired'), 'unknown'],
    [error(403, 'AccessDenied', 'Request is not valid yet'), 'unknown'],
    [error(404, 'NoSuchBucket'), 'unknown'],
    [error(400, 'AccessDenied'), 'unknown'],
    [{ status: 404, body: '<html>not found</html>' }, 'unknown'],
    [{ status: 403, body: '' }, 'unknown'],
    [{ status: 200, body: '' }, 'unknown'],
  ])('answered with %o is judged %s', (answer, verdict) => {
    expect(judgeForgery(answer)).toBe(verdict);
  });

  it('shows an open hole at MinIO for root, which no policy restricts, and reports unknown ids as such', async () => {
    const { endpoint, region, accessKeyId } = sharedMinio();
    const target = { endpoint, region, bucket: await createTestBucket(), keyPrefix: 'team/', at: new Date() };

    expect(await tryForgery({ ...target, accessKeyId })).toBe('open');
    expect(await tryForgery({ ...target, accessKeyId: 'no-such-id' })).toBe('no-such-id');
  });
});
