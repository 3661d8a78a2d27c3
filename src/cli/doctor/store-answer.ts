import { adviceAbout } from '../../client/network/certificate.ts';
import type { LinkFailure } from '../../client/network/link-failure.ts';
import { overTls } from '../../client/network/tls-probe.ts';
import { describeAnswer, isRefusedOnTheWay, type PartAnswer } from '../../client/part/part-answer.ts';
import { adviceOnTheWay } from '../../client/part/part-failures.ts';
import type * as wire from '../../contract/wire.ts';
import { readS3Error } from '../../outbound/s3-error.ts';
import { formatDuration } from '../format/durations.ts';
import { formatSize } from '../format/sizes.ts';
import { type Finding, fail, info, ok } from './finding.ts';
import type { HttpAnswer } from './http-exchange.ts';

const CHECK = 'store takes a part';

/** Infers from the store's answer to a presigned PUT of `size` bytes what is wrong with the set-up (measured on MinIO). */
export function judgeStoreAnswer(answer: HttpAnswer, host: string, clockOffsetMs: number | undefined, size: number): Finding {
  return judgePartAnswer(toPartAnswer(answer), host, clockOffsetMs, size);
}

export function judgePartAnswer(part: PartAnswer, host: string, clockOffsetMs: number | undefined, size: number): Finding {
  const sent = formatSize(size);
  if (part.status === 200 && part.etag !== undefined) return ok(CHECK, `${host} took ${sent} over a presigned URL`);
  const said = describeAnswer(part);
  if (isRefusedOnTheWay(part) && part.status < 500 && part.status !== 429)
    return fail(
      CHECK,
      `something between here and ${host} refused ${sent}: ${said}. The object store did not answer`,
      adviceOnTheWay(part.status),
    );
  const advice = adviceFor(part.status, part.code, part.message ?? '', clockOffsetMs);
  return fail(CHECK, `${host} answered ${sent} with ${said}`, advice);
}

function toPartAnswer({ status, headers, text }: HttpAnswer): PartAnswer {
  const header = (name: string) => [headers[name]].flat()[0];
  return {
    status,
    ...readS3Error(text),
    etag: header('etag'),
    retryAfterSeconds: undefined,
    contentType: header('content-type'),
    server: header('server'),
    location: header('location'),
  };
}

/** True if a proxy or balancer, not the store, refused the body as too large. */
export function isTooLarge(answer: HttpAnswer): boolean {
  return answer.status === 413 && isRefusedOnTheWay(toPartAnswer(answer));
}

export interface BrokenTrial {
  readonly host: string;
  readonly failure: LinkFailure;
  readonly sentBytes: number;
  readonly size: number;
  readonly ms: number;
}

/** Judges a trial part that got no answer. */
export function judgeBrokenTrial({ host, failure, sentBytes, size, ms }: BrokenTrial): Finding {
  const reason = failure.message;
  if (failure.trouble === 'certificate')
    return fail(CHECK, `${host} cannot be trusted from this machine: ${reason}`, adviceAbout(failure.code ?? ''));
  if (failure.trouble === 'no-tls')
    return fail(
      CHECK,
      `${host} cannot be reached from this machine: ${reason}`,
      'Whoever runs the server: check that PARTWAY_S3_PUBLIC_ENDPOINT begins with https:// only where the store, or the proxy before it, speaks TLS.',
    );
  if (failure.trouble === 'only-tls')
    return fail(
      CHECK,
      `${host} cannot be reached as it is signed for: ${reason}`,
      `Whoever runs the server: set PARTWAY_S3_PUBLIC_ENDPOINT=${overTls(`http://${host}`)}`,
    );
  if (sentBytes === 0)
    return fail(
      CHECK,
      `${host} cannot be reached from this machine: ${reason}`,
      'Clients send the bytes straight to this address, so it must be reachable from here: check PARTWAY_S3_PUBLIC_ENDPOINT, DNS and firewalls.',
    );
  return fail(
    CHECK,
    `the connection to ${host} broke after ${formatDuration(ms / 1_000)}, with ${formatSize(sentBytes)} of ${formatSize(size)} handed over: ${reason}`,
    'Run partway doctor again: if it breaks at the same point, a proxy, balancer or router on the way limits how long or how large a request may be. Whoever runs it must allow more.',
  );
}

/** Judges a part of `size` bytes that was tried after a larger one did not get through. */
export function judgeSmallerPart(findings: readonly Finding[], size: number): Finding {
  const check = `store takes a part of ${formatSize(size)}`;
  const flag = `--part-size ${formatSize(size).replace(/\.?0* (?=[A-Z])/, '')}`;
  const trial = findings.find((finding) => finding.check === CHECK);
  if (trial?.outcome === 'ok') return info(check, 'yes', `Until larger ones get through: partway upload ${flag} FILE`);
  return fail(check, trial?.detail ?? 'could not be tried', 'S3 takes no smaller parts: at least this size must get through.');
}

/** Judges the store's list of parts: an upload is complete only when that list proves every part. */
export function judgeListing({ parts }: wire.PartsResponse, checksum: string): Finding {
  const check = 'store shows checksums';
  if (parts.some((part) => part.checksum === checksum)) return ok(check, 'its list has the CRC32 of the part');
  return fail(
    check,
    'it took the part, and its list does not show the CRC32 of it: no upload can be proven complete there',
    'Whoever runs the server: use a store that keeps CRC32 checksums of parts. docs/scale.md ("Another store") says which do.',
  );
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
  if (code === undefined)
    return 'There is no object store at this address: check PARTWAY_S3_PUBLIC_ENDPOINT and any proxy in between.';
  return "Look the code up in the store's documentation; the server's log has the same session's requests.";
}
