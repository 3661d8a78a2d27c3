import { beforeEach, describe, expect, it, vi } from 'vitest';
import { PATHS } from '../../../src/contract/paths.ts';
import { PROBLEM_MEDIA_TYPE } from '../../../src/contract/problems.ts';
import * as routes from '../../../src/contract/routes.ts';
import { ControlPlaneBench } from '../../support/server/control-plane.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly Record<string, readonly string[]>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: unknown }> };
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, unknown> }>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown>; readonly securitySchemes: Record<string, unknown> };
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

let bench: ControlPlaneBench;
let document: Document;
let operations: [string, string, Operation][];
beforeEach(async () => {
  bench = new ControlPlaneBench();
  document = await bench.ask<Document>('GET', PATHS.openapi, { token: null });
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, string, Operation] => [path, method, operation]),
  );
});

describe('/openapi.json', () => {
  it('is made once, not for each request', async () => {
    const made = vi.spyOn(bench.app, 'getOpenAPI31Document');
    await bench.ask('GET', PATHS.openapi, { token: null });
    await bench.ask('GET', PATHS.openapi, { token: null });
    expect(made.mock.calls.length).toBeLessThan(2);
  });

  it('is an OpenAPI 3.1 document of this version', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'partway', version: '1.2.3' } });
  });

  it('lists every operation of the contract under its method and path', () => {
    const listed = operations.map(([path, method, { operationId }]) => `${operationId}: ${method} ${path}`).sort();
    const contract = Object.values(routes).map(({ operationId, method, path }) => `${operationId}: ${method} ${path}`);
    expect(listed).toEqual(contract.sort());
  });

  it('lists every path under /api', () => {
    const paths = Object.values(PATHS).filter((path) => path.startsWith('/api/'));
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(paths));
  });

  it('lists every route that the app answers under /api', () => {
    const mounted = bench.app.routes
      .filter(({ path, method }) => path.startsWith('/api/') && method !== 'ALL')
      .map(({ path, method }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(new Set(mounted)).toEqual(
      new Set(operations.map(([path, method]) => `${method} ${path}`).filter((name) => name.includes(' /api/'))),
    );
  });

  it('has operations with unique ids, responses with descriptions, and a problem for every failure', () => {
    expect(new Set(operations.map(([, , { operationId }]) => operationId)).size).toBe(operations.length);
    for (const [path, method, operation] of operations) {
      expect(METHODS).toContain(method);
      expect(operation.summary, path).not.toBe('');
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^(?:[1-5]\d\d|default)$/);
        expect(response.description).toEqual(expect.any(String));
      }
      expect(operation.responses.default?.content).toHaveProperty([PROBLEM_MEDIA_TYPE]);
    }
  });

  it('declares every parameter of a path, and no other', () => {
    for (const [path, , { parameters = [] }] of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = parameters.filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name)).toEqual(inPath);
      for (const { required } of declared) expect(required).toBe(true);
    }
  });

  it('asks for the bearer token everywhere under /api, for the metrics, and nowhere else', () => {
    expect(document.components.securitySchemes).toEqual({ bearer: { type: 'http', scheme: 'bearer' } });
    for (const [path, , { security }] of operations) {
      expect(security, path).toEqual(path.startsWith('/api/') || path === PATHS.metrics ? [{ bearer: [] }] : undefined);
    }
  });

  it('refers to nothing that is not in it', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => String(reference));
    expect(references.length).toBeGreaterThan(0);
    for (const reference of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1];
      expect(document.components.schemas, reference).toHaveProperty([String(name)]);
    }
  });

  it('has the progress both as JSON and as a stream', () => {
    for (const path of [PATHS.progress, PATHS.progressByUploadId]) {
      const content = document.paths[path]?.get?.responses['200']?.content;
      expect(Object.keys(content ?? {}).sort()).toEqual(['application/json', 'text/event-stream']);
    }
  });

  it.each<[string, readonly string[]]>([
    [
      'UploadSession',
      [
        'sessionId',
        'status',
        'bucket',
        'key',
        'fileName',
        'size',
        'strategy',
        'partSize',
        'partCount',
        'storedBytes',
        'partsStored',
        'etag',
        'checksum',
        'createdAt',
        'expiresAt',
        'partsKeptUntil',
      ],
    ],
    ['PresignedParts', ['parts']],
    ['PresignedPart', ['partNumber', 'method', 'url', 'headers', 'start', 'end', 'expiresAt']],
    [
      'Progress',
      [
        'sessionId',
        'status',
        'size',
        'storedBytes',
        'inFlightBytes',
        'partsStored',
        'partCount',
        'bytesPerSecond',
        'secondsRemaining',
        'updatedAt',
      ],
    ],
  ])('names the fields of %s exactly, each always there, because programs read them', (name, fields) => {
    const { properties, required } = document.components.schemas[name] as { properties: object; required: string[] };
    expect(Object.keys(properties).sort()).toEqual([...fields].sort());
    expect([...required].sort()).toEqual([...fields].sort());
  });

  it('says that sizes are whole numbers, and describes every schema it names', () => {
    expect(document.components.schemas).toMatchObject({
      UploadSession: { type: 'object', properties: { size: { type: 'integer', minimum: 0 } } },
      CreateUpload: { additionalProperties: false, required: ['fileName', 'size'] },
    });
  });
});
