import { formatDuration } from '../output/durations.ts';
import { type Finding, fail, ok } from './finding.ts';
import type { HttpAnswer } from './http-exchange.ts';

const CHECK = 'store takes a part';

/** What the store's answer to a presigned PUT says about how things are set up (measured on MinIO). */
export function judgeStoreAnswer(answer: HttpAnswer, host: string, clockOffsetMs: number | undefined): Finding {
  if (answer.status === 200 && answer.headers.etag !== undefined)
    return ok(CHECK, `${host} took 5 bytes over a presigned URL and checked their CRC32`);
  const code = /<Code>([^<]*)<\/Code>/.exec(answer.body)?.[1];
  const message = /<Message>([^<]*)<\/Message>/.exec(answer.body)?.[1];
  const detail = `${host} answered HTTP ${answer.status}${code === undefined ? '' : ` ${code}`}${message === undefined ? '' : `: ${message}`}`;
  return fail(CHECK, detail, adviceFor(answer.status, code, message ?? '', clockOffsetMs));
}

function adviceFor(status: number, code: string | undefined, message: string, clockOffsetMs: number | undefined): string {
  if (code === 'SignatureDoesNotMatch') {
    return 'The Host that the store sees is not the one that was signed, or the secret key is wrong. Set PARTWAY_S3_PUBLIC_ENDPOINT to exactly the address that clients use, and let any proxy pass the Host header on.';
  }
  if (/expired|not valid yet/i.test(message)) {
    const offset =
      clockOffsetMs === undefined
        ? ''
        : ` (the store differs from this machine by ${formatDuration(Math.abs(clockOffsetMs) / 1000)})`;
    return `The clocks of the server and the store disagree${offset}. Let both use NTP.`;
  }
  if (code === 'InvalidAccessKeyId') return 'The store does not know PARTWAY_S3_ACCESS_KEY_ID. Correct it at the server.';
  if (code === 'NoSuchBucket') return 'Create the bucket or change PARTWAY_S3_BUCKET at the server.';
  if (code === 'NoSuchUpload')
    return 'The public endpoint leads to another store than the internal one. Compare PARTWAY_S3_ENDPOINT and PARTWAY_S3_PUBLIC_ENDPOINT.';
  if (code === 'AccessDenied') return "The server's key lacks the right s3:PutObject on this bucket. Grant it at the store.";
  if (status === 507 || /no space left|StorageFull|QuotaExceeded/i.test(`${code} ${message}`))
    return 'The store has no space left. Free some, or raise its quota.';
  if (status === 503 || status === 429) return 'The store is starting or overloaded. Run partway doctor again in a minute.';
  if (code === undefined) return 'What answered is no object store: check PARTWAY_S3_PUBLIC_ENDPOINT and any proxy in between.';
  return "Look the code up in the store's documentation; the server's log has the same session's requests.";
}
