import { ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3';
import { ObjectStoreError } from './port.ts';
import { codeOf, toObjectStoreError } from './s3-errors.ts';

/** Prefix of a listing that the control plane may always ask for, and that is short. */
const UNUSED_KEY = 'partway-clock-check';

/**
 * Reads the object store's clock from an answer, and returns it minus ours, in milliseconds. As exact as the header `Date`: a second.
 * The SDK learns an offset, too, but only one of five minutes and more.
 */
export async function readStoreClock(calls: S3Client, bucket: string, now: () => number): Promise<number> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: UNUSED_KEY, EncodingType: 'url' });
  let offset = Number.NaN;
  command.middlewareStack.add(
    (next) => async (input) => {
      const result = await next(input);
      const { headers } = result.response as { headers?: Record<string, string> };
      offset = Date.parse(headers?.date ?? '') - now();
      return result;
    },
    // Runs before the SDK turns a refusal into an error: a refusal has a date, too.
    { name: 'partwayReadDate', step: 'deserialize', priority: 'low' },
  );
  try {
    await calls.send(command);
  } catch (error) {
    // This refusal concerns only the clock. Others may come from a proxy, or from another service.
    if (codeOf(error) !== 'RequestTimeTooSkewed') throw toObjectStoreError(error);
  }
  if (Number.isNaN(offset)) throw new ObjectStoreError('unavailable', "the object store's answer has no Date");
  return offset;
}
