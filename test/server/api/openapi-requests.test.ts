import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from '../../../src/contract/problems.ts';
import { problem as problemSchema } from '../../../src/contract/schemas.ts';
import { hashToken, newToken, TOKEN_PREFIX } from '../../../src/server/access/auth.ts';
import { createTokenAdmin } from '../../../src/server/access/tokens.ts';
import { noAudit } from '../../../src/server/audit/event.ts';
import { type RunningServer, startServer } from '../../../src/server/start-server.ts';
import { NO_LIMITS, type Scope } from '../../../src/session/access.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { collectLog, serverConfig } from '../../support/server/real-server.ts';
import { arbitraryOf, type Components, type Schema } from '../../support/server/schema-arbitrary.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> };
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Components };
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
  /** By place and name. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Chooses one of the tokens made so far. */
  readonly caller: number;
  readonly capabilityInPath: boolean;
  /** Chooses one of the sessions made so far; an odd number takes the id of the parameters. */
  readonly session: number;
}

const ADMIN = newToken(TOKEN_PREFIX);
let sent = 0;
const CALLERS = 7;
/** Operations that need earlier ones to succeed come more often, operations that end a session less often. */
const WEIGHTS: Readonly<Record<string, number>> = { createUpload: 8, presignParts: 10, healthz: 1, readyz: 1, abortUpload: 1 };

let folder: string;
let server: RunningServer;
let document: Document;
const collected = collectLog();
/** Everything that must not be shown: tokens and their hashes, keys, signatures. */
const secrets = new Set<string>();
const tokens: string[] = [];
const capabilities: string[] = [];
const sessionIds: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'partway-openapi-'));
  const database = join(folder, 'partway.db');
  const { accessKeyId, secretAccessKey } = sharedMinio();
  const config = serverConfig(await createTestBucket(), {
    PARTWAY_TOKEN: ADMIN,
    PARTWAY_DATABASE_URL: database,
    PARTWAY_TRUSTED_PROXIES: 'loopback',
  });
  server = await startServer(config, collected.log, () => {});
  for (const secret of [accessKeyId, secretAccessKey]) secrets.add(secret);
  const store = openSqliteStore(database);
  const admin = createTokenAdmin(store, noAudit, Date.now);
  const make = async (name: string, scopes: readonly Scope[], keyPrefix = '') => {
    const request = { name, scopes, limits: { ...NO_LIMITS, keyPrefix }, expiresAt: null, rotate: false };
    return (await admin.create(request)).token;
  };
  tokens.push(
    ADMIN,
    ADMIN,
    ADMIN,
    await make('one', ['upload']),
    await make('two', ['upload'], 'two/'),
    await make('three', ['read']),
  );
  for (const token of tokens) remember(token);
  await store.close();
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

function remember(token: string): void {
  secrets.add(token).add(hashToken(token));
}

function requests(): fc.Arbitrary<Request> {
  const { paths, components } = document;
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const { parameters = [], requestBody, operationId } = operation;
      const fields = parameters.map(({ in: place, name, schema }) => [
        `${place} ${name}`,
        arbitraryOf(schema, components.schemas),
      ]);
      const [content] = Object.values(requestBody?.content ?? {});
      const body = content === undefined ? fc.constant(undefined) : arbitraryOf(content.schema, components.schemas);
      const request = fc.record({
        method: fc.constant(method.toUpperCase()),
        path: fc.constant(path),
        operation: fc.constant(operation),
        parameters: fc.record(Object.fromEntries(fields), { requiredKeys: [] }),
        body: fc.oneof({ weight: 20, arbitrary: body }, { weight: 1, arbitrary: fc.string() }),
        caller: fc.nat({ max: CALLERS - 1 }),
        capabilityInPath: fc.boolean(),
        session: fc.nat({ max: 11 }),
      });
      return { weight: WEIGHTS[operationId] ?? 2, arbitrary: request };
    }),
  );
  return fc.oneof(...all);
}

/** Makes a request that a URL and headers can carry, whatever the arbitrary made. */
async function send(request: Request) {
  const { method, path, operation, parameters, body, caller, capabilityInPath, session } = request;
  const known =
    session < 10 ? sessionIds[sessionIds.length - 1 - (session % Math.max(1, Math.min(sessionIds.length, 3)))] : undefined;
  const filled = path.replace(/\{(\w+)\}/, (_, name: string) =>
    encodeURIComponent(known ?? text(parameters[`path ${name}`] ?? 'x')),
  );
  const query = new URLSearchParams(valuesIn(parameters, 'query'));
  // Another address each time: so many failures from one would be refused for that alone.
  const headers: Record<string, string> = { 'x-forwarded-for': `10.0.${Math.floor(++sent / 250) % 250}.${sent % 250}` };
  for (const [name, value] of valuesIn(parameters, 'header')) if (/^[\x20-\x7e]*$/.test(value)) headers[name] = value;
  const capability = capabilities.at(-1);
  const inPath = capabilityInPath && capability !== undefined && caller === CALLERS - 1;
  const token = caller === CALLERS - 1 ? capability : tokens[caller];
  if (token !== undefined && !inPath) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const url = `${server.url}${inPath ? `/c/${capability}` : ''}${filled}?${query}`;
  const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await sendRequest(method, url, headers, Buffer.from(payload.toWellFormed()));
  return { answer, operationId: operation.operationId };
}

function valuesIn(parameters: Request['parameters'], place: string): [string, string][] {
  return Object.entries(parameters)
    .filter(([name, value]) => name.startsWith(`${place} `) && value !== undefined)
    .map(([name, value]) => [name.slice(place.length + 1), text(value)]);
}

function text(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed();
}

/** Keeps values for later requests, and secrets that must never be seen again. */
function learnFrom(operationId: string, body: string): void {
  if (operationId === 'createUpload') sessionIds.push((JSON.parse(body) as { sessionId: string }).sessionId);
  if (operationId === 'presignParts')
    for (const [signature] of body.matchAll(/(?<=X-Amz-Signature=)[0-9a-f]{64}/g)) secrets.add(signature);
  if (operationId === 'grantCapability') {
    const { token } = JSON.parse(body) as { token: string };
    capabilities.push(token);
    remember(token);
  }
}

/** Secrets that the operation itself returns. */
function maySay(operationId: string, secret: string, body: string): boolean {
  if (operationId === 'presignParts') return /^[0-9a-f]{64}$/.test(secret) || body.includes(`X-Amz-Credential=${secret}`);
  return operationId === 'grantCapability' && secret.startsWith('pwc_');
}

it('any request to any operation of the document causes no server error, only listed problems, and shows no secret', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(requests(), { minLength: 4, maxLength: 12 }), async (sequence) => {
      for (const request of sequence) {
        const { answer, operationId } = await send(request);
        const body = answer.body.toString();
        expect(answer.status, `${operationId}: ${body}`).toBeLessThan(500);
        if (answer.status >= 300) {
          expect(answer.headers['content-type'], operationId).toBe(PROBLEM_MEDIA_TYPE);
          const problem = problemSchema.parse(JSON.parse(body));
          expect(problem.status).toBe(answer.status);
          expect(PROBLEMS[problem.code].status).toBe(answer.status);
        } else {
          learnFrom(operationId, body);
          seen.set(operationId, (seen.get(operationId) ?? 0) + 1);
        }
        for (const secret of secrets) {
          if (body.includes(secret))
            expect(maySay(operationId, secret, body), `${operationId} tells ${secret.slice(0, 6)}…`).toBe(true);
        }
      }
    }),
    { numRuns: 200 },
  );

  const operations = Object.values(document.paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
  // Without the bytes of the parts nothing completes, and so no object is there: that is for other tests.
  const reached = operations.filter((id) => id !== 'completeUpload' && id !== 'getObject');
  expect([...seen.keys()]).toEqual(expect.arrayContaining(reached));
  const audit = readFileSync(join(folder, 'audit.jsonl'), 'utf8');
  expect(collected.text().length * audit.length).toBeGreaterThan(0);
  for (const secret of secrets) {
    expect(collected.text().includes(secret), `the log shows ${secret.slice(0, 6)}…`).toBe(false);
    expect(audit.includes(secret), `the audit log shows ${secret.slice(0, 6)}…`).toBe(false);
  }
  expect(collected.text()).not.toContain('X-Amz-');
});
