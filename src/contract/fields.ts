import { z } from 'zod';
import { CHECKSUM_PATTERN } from '../session/checksum.ts';
import { findMetadataFault, findTagsFault, METADATA_NAME } from '../session/object-attributes.ts';
import { S3_LIMITS } from '../session/part-plan.ts';
import { firstFaultRecord } from './first-fault.ts';

/* Fields that several schemas have. */

export const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
export const instant = z.iso.datetime().meta({ description: 'ISO 8601, UTC' });
export const partNumber = z.number().int().min(1).max(S3_LIMITS.maxPartCount);
export const crc32 = z.string().regex(CHECKSUM_PATTERN).meta({ description: 'CRC32 as base64 of four bytes, big-endian' });
export const etag = z.string().min(1).max(200);
// Metadata travels in headers at the object store, so names and values may hold only what a header can.
export const metadata = firstFaultRecord(z.string().regex(METADATA_NAME), z.string().max(1_000))
  .superRefine(withoutFault(findMetadataFault))
  .meta({
    description: 'Metadata of the object; names become lower case. URL-encoded, with names counted twice, at most 1.9 KB',
  });
export const tags = firstFaultRecord(z.string().min(1).max(128), z.string().max(256))
  .superRefine(withoutFault(findTagsFault))
  .meta({ description: 'Tags of the object, at most 10: letters (A to Z), digits, spaces and + - = . _ : / @' });

function withoutFault<T>(find: (value: T) => string | undefined): (value: T, context: z.RefinementCtx) => void {
  return (value, context) => {
    const message = find(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}
