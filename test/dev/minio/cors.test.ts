import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allowedOrigins } from '../../../src/dev/minio/cors.ts';
import { findMinio } from '../../../src/dev/minio/find.ts';
import { startMinio } from '../../../src/dev/minio/minio.ts';
import { endpointOf } from '../../../src/dev/minio/server.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { answersOk, startServerProcess, untilReady } from '../../../src/dev/process/server-process.ts';
import { thisHost } from '../../../src/dev/process/user-folders.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { COMPOSE_ENV, readCompose } from '../../support/server/compose.ts';
import { skipBecause } from '../../support/skip-because.ts';

const CONTROL_PLANE = 'http://127.0.0.1:7373';
const [APP, LOCAL_APP, FOREIGN] = ['https://app.example.com', 'http://localhost:5173', 'https://evil.example'];
/** A list as users write it, and as the server's `parseOrigins` accepts it. */
const LIST = ` ${APP}, ${LOCAL_APP} ,`;

/** The allowed origins that a browser would see: in the answer to a preflight, and in the refusal of an unsigned PUT. */
async function allowed(endpoint: string, origin: string): Promise<(string | undefined)[]> {
  const asked = { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' };
  const answers = [
    await sendRequest('OPTIONS', `${endpoint}/uploads/a`, asked),
    await sendRequest('PUT', `${endpoint}/uploads/a`, { origin }),
  ];
  return answers.map(({ headers }) => headers['access-control-allow-origin'] as string | undefined);
}

async function expectOnlyOwnOrigins(endpoint: string): Promise<void> {
  for (const origin of [CONTROL_PLANE, APP, LOCAL_APP]) expect(await allowed(endpoint, origin)).toEqual([origin, origin]);
  for (const origin of [FOREIGN, 'http://127.0.0.1:7374', `${APP}.evil.example`, 'null'])
    expect(await allowed(endpoint, origin)).toEqual([undefined, undefined]);
}

describe('the origins that MinIO is given', () => {
  it('begin with that of the control plane, and contain neither spaces nor empty items', () => {
    expect(allowedOrigins(CONTROL_PLANE, LIST)).toBe(`${CONTROL_PLANE},${APP},${LOCAL_APP}`);
    for (const none of [undefined, '', ' ', ', ,']) expect(allowedOrigins(CONTROL_PLANE, none)).toBe(CONTROL_PLANE);
    expect(allowedOrigins(CONTROL_PLANE, '*')).toBe(`${CONTROL_PLANE},*`);
  });
});

describe('pages of other origins get no CORS headers', () => {
  it('from a MinIO that is started as the quick start starts it', async () => {
    const env = { MINIO_API_CORS_ALLOW_ORIGIN: allowedOrigins(CONTROL_PLANE, LIST) };
    const minio = await startMinio({ log: () => {}, env });
    onTestFinished(() => minio.stop());
    await expectOnlyOwnOrigins(minio.endpoint);
  });

  it('from a MinIO that is started without a setting for origins', async () => {
    const minio = await startMinio({ log: () => {} });
    onTestFinished(() => minio.stop());
    expect(await allowed(minio.endpoint, FOREIGN)).toEqual([undefined, undefined]);
  });

  it('from the MinIO of compose.yaml, however PARTWAY_CORS_ORIGINS is written', async (context) => {
    const source = await findMinio(thisHost, () => {});
    if (source.kind !== 'binary') skipBecause(context, 'there is no MinIO program on this host');
    const { entrypoint = [], environment } = readCompose({ ...COMPOSE_ENV, PARTWAY_CORS_ORIGINS: LIST }).services.minio ?? {};
    const [command = '', ...script] = entrypoint;
    const dataDir = mkdtempSync(join(tmpdir(), 'partway-cors-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const port = await freePort();
    const minio = startServerProcess({
      name: 'MinIO',
      command,
      args: [...script, 'server', dataDir, '--address', `127.0.0.1:${port}`],
      env: { ...environment, PATH: [dirname(source.path), process.env.PATH].join(delimiter) },
      secrets: [],
    });
    onTestFinished(() => minio.stop());
    await untilReady(minio, () => answersOk(`${endpointOf(port)}/minio/health/cluster`));
    await expectOnlyOwnOrigins(endpointOf(port));
  });
});
