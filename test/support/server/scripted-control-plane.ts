import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from '../../../src/contract/problems.ts';
import type { PresignRequest, Session, StoredObject, StoreReport } from '../../../src/contract/wire.ts';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import type { ServiceErrorCode } from '../../../src/session/errors.ts';
import { partRange } from '../../../src/session/part-plan.ts';
import { missingRanges } from '../../../src/session/part-ranges.ts';
import { aWireProgress, aWireSession } from './wire-sessions.ts';

interface Refusal {
  /** How often the operation is still refused; each refusal subtracts one. */
  times: number;
  readonly code: ServiceErrorCode;
  readonly detail: string;
  readonly facts?: Record<string, unknown>;
}

/** The access key id of the signer, which part URLs show. */
export const SIGNER_ID = 'the-signer';
const SIGNED_BY = new URLSearchParams({
  'X-Amz-Credential': `${SIGNER_ID}/20261124/us-east-1/s3/aws4_request`,
  'X-Amz-Date': '20261124T120000Z',
  'X-Amz-Security-Token': 'session-token',
});

/**
 * A control plane and an object store in one small real HTTP server, for tests of the CLI. It has one session, and a test can make any
 * operation fail (`refuse('POST /api/uploads', …)`). It speaks the contract and knows none of the server's rules.
 */
export class ScriptedControlPlane {
  session: Session = aWireSession();
  /** `METHOD /path` of every request, in order. */
  readonly requests: string[] = [];
  readonly idempotencyKeys: string[] = [];
  readonly bodies = new Map<string, unknown>();
  readonly parts = new Map<number, Buffer>();
  /** Whether Create answers that the session already exists. */
  isKnown = false;
  clockOffsetMs = 0;
  /** Fields of the object that differ from those of the session. */
  objectChanges: Partial<StoredObject> = {};
  listed: Session[] = [];
  storeReport: StoreReport = {
    bucket: 'uploads',
    keyPrefix: '',
    signing: { credentials: 'sts', expiresAt: '2026-11-24T14:00:00.000Z', canRead: false, canList: false, canDelete: false },
  };
  /** Wrong fields in the answers to Complete and to `GET /api/uploads/{id}`. */
  answeredFalsely: Partial<Session> = {};
  /** Called before the store answers a part. */
  onPart: (partNumber: number) => void = () => {};
  /** Whether the list of parts has their CRC32, as from a store that keeps it. */
  showsChecksums = true;
  /** Whether pages of this origin may send parts to the store. */
  allowsOrigin: (origin: string) => boolean = (origin) => origin === this.url;
  storeAnswer: { status: number; body: string } | undefined;
  /** Access key ids in whose name the store accepts unsigned writes. */
  readonly forgeable = new Set<string>();
  readonly #broken = new Map<string, number>();
  readonly #refusals = new Map<string, Refusal>();
  // A client may disconnect before its whole request is read.
  readonly #server = createServer((request, response) => void this.#answer(request, response).catch(() => response.destroy()));

  async start(port = 0): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this.url;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  refuse(operation: string, code: ServiceErrorCode, detail: string, facts: Record<string, unknown> = {}, times = Infinity): void {
    this.#refusals.set(operation, { code, detail, facts, times });
  }

  /** Performs the operation and then resets the connection, so that the answer is lost. */
  loseAnswers(operation: string, times: number): void {
    this.#broken.set(operation, times);
  }

  get content(): Buffer {
    return Buffer.concat([...this.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const operation = `${request.method} ${pathname.replace(this.session.sessionId, '{id}')}`;
    this.requests.push(operation);
    this.idempotencyKeys.push(
      ...(request.headers['idempotency-key'] === undefined ? [] : [String(request.headers['idempotency-key'])]),
    );
    const body = await readBody(request);
    response.setHeader('date', new Date(Date.now() + this.clockOffsetMs).toUTCString());
    const lost = this.#broken.get(operation) ?? 0;
    if (lost > 0) {
      this.#broken.set(operation, lost - 1);
      response.end = () => {
        request.socket.resetAndDestroy();
        return response;
      };
    }
    const refusal = this.#refusals.get(operation);
    if (refusal !== undefined && refusal.times > 0) {
      refusal.times -= 1;
      sendProblem(response, refusal);
    } else if (request.headers['x-amz-content-sha256'] !== undefined) {
      this.#answerForgery(searchParams.get('X-Amz-Credential') ?? '', response);
    } else if (request.method === 'PUT') this.#storePart(Number(searchParams.get('partNumber')), body, response);
    else if (request.method === 'OPTIONS') this.#answerPreflight(request, response);
    else this.#answerOperation(operation, body.length > 0 ? JSON.parse(body.toString()) : undefined, response);
  }

  #answerOperation(operation: string, json: unknown, response: ServerResponse): void {
    this.bodies.set(operation, json);
    const status = operation === 'POST /api/uploads' && !this.isKnown ? 201 : 200;
    const answer = this.#resultOf(operation, json);
    if (answer !== undefined) sendJson(response, status, answer);
    else sendProblem(response, { code: 'SESSION_NOT_FOUND', detail: `There is nothing at ${operation}.` });
  }

  #resultOf(operation: string, json: unknown): object | undefined {
    const { sessionId, bucket, key, size, checksum } = this.session;
    switch (operation) {
      case 'GET /healthz':
        return { status: 'ok' };
      case 'GET /readyz':
        return { ready: true, checks: { database: { ok: true }, bucket: { ok: true } } };
      case 'GET /api/store':
        return this.storeReport;
      case 'GET /api/uploads':
        return { uploads: this.listed, nextCursor: null };
      case 'POST /api/uploads':
        return this.session;
      case 'GET /api/uploads/{id}':
        return { ...this.session, ...this.answeredFalsely };
      case 'GET /api/uploads/{id}/progress':
      case 'POST /api/uploads/{id}/report':
        return aWireProgress(this.session);
      case 'POST /api/uploads/{id}/parts/presign':
        return { parts: this.#presign(json as PresignRequest) };
      case 'GET /api/uploads/{id}/parts':
        return this.#listing();
      case 'GET /api/uploads/{id}/object':
        return { sessionId, bucket, key, size, etag: '"e"', checksum, uploadedBySession: true, ...this.objectChanges };
      case 'POST /api/uploads/{id}/complete':
        this.session = { ...this.session, status: 'completed', etag: '"e"', checksum: checksumOf(this.content) };
        return { ...this.session, ...this.answeredFalsely };
      case 'DELETE /api/uploads/{id}':
        this.session = { ...this.session, status: 'aborted', expiresAt: null, partsKeptUntil: null };
        return this.session;
      default:
        return undefined;
    }
  }

  #storePart(partNumber: number, bytes: Buffer, response: ServerResponse): void {
    this.onPart(partNumber);
    if (this.storeAnswer !== undefined) {
      response.writeHead(this.storeAnswer.status).end(this.storeAnswer.body);
      return;
    }
    this.parts.set(partNumber, bytes);
    response.writeHead(200, { etag: `"${partNumber}"` }).end();
  }

  #answerForgery(credential: string, response: ServerResponse): void {
    const [accessKeyId = ''] = credential.split('/');
    const [status, code] = this.forgeable.has(accessKeyId)
      ? [404, 'NoSuchUpload']
      : [403, accessKeyId === SIGNER_ID ? 'AccessDenied' : 'InvalidAccessKeyId'];
    response.writeHead(Number(status)).end(`<Error><Code>${code}</Code></Error>`);
  }

  #answerPreflight({ headers: { origin = '' } }: IncomingMessage, response: ServerResponse): void {
    response.writeHead(204, this.allowsOrigin(origin) ? { 'access-control-allow-origin': origin } : {}).end();
  }

  #presign({ partNumbers }: PresignRequest) {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    return partNumbers.map((partNumber) => {
      const { start, end } = partRange(this.session, this.session.size, partNumber);
      return {
        partNumber,
        method: 'PUT',
        url: `${this.url}/store/${this.session.bucket}/file?partNumber=${partNumber}&${SIGNED_BY}`,
        headers: { 'content-length': String(end - start) },
        start,
        end,
        expiresAt,
      };
    });
  }

  #listing() {
    const { sessionId, status, partCount } = this.session;
    const listed = [...this.parts].map(([partNumber, bytes]) => ({
      partNumber,
      etag: `"${partNumber}"`,
      checksum: this.showsChecksums ? checksumOf(bytes) : null,
      size: bytes.length,
    }));
    const [parts, unproven] = this.showsChecksums ? [listed, []] : [[], listed];
    const missing = missingRanges(
      partCount,
      parts.map(({ partNumber }) => partNumber),
    );
    return { sessionId, status, storedBytes: this.content.length, parts, missing, unproven, generation: 1 };
  }
}

function checksumOf(bytes: Buffer): string {
  return encodeCrc32(crc32(bytes));
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendProblem(response: ServerResponse, { code, detail, facts }: Omit<Refusal, 'times'>): void {
  const { status, title } = PROBLEMS[code];
  response.writeHead(status, { 'content-type': PROBLEM_MEDIA_TYPE });
  response.end(JSON.stringify({ type: '/problems/x', title, status, detail, instance: 'req_1', code, ...facts }));
}
