import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import type { Session } from '../../../src/contract/wire.ts';
import { isPortFree } from '../../../src/dev/process/free-port.ts';
import { RawConnection } from '../../support/network/raw-connection.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { startTurnClock } from '../../support/time/turn-clock.ts';

const BODY = JSON.stringify({ fileName: 'late.txt', size: 3 });

/** Sends a Create without its body, and resolves once it has reached the server. */
async function beginCreate({ server, token }: ControlPlaneProcess): Promise<RawConnection> {
  const connection = await RawConnection.to(server);
  const headers = [
    'POST /api/uploads HTTP/1.1',
    'host: partway',
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    `content-length: ${BODY.length}`,
    'expect: 100-continue',
  ];
  connection.send(`${headers.join('\r\n')}\r\n\r\n`);
  await connection.untilReceived('100 Continue\r\n\r\n');
  return connection;
}

async function watch({ server, token }: ControlPlaneProcess, sessionId: string): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  return new Promise((resolve, reject) => {
    get(`${server}/api/uploads/${sessionId}/progress`, { headers }, resolve).on('error', reject);
  });
}

it('after SIGTERM a server ends live streams, finishes requests in progress, and waits at most ten seconds for the rest', async () => {
  const controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket() });
  onTestFinished(() => controlPlane.stop());
  const { server, token } = controlPlane;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const created = await fetch(`${server}/api/uploads`, { method: 'POST', headers, body: BODY.replace('late', 'early') });
  const { sessionId } = (await created.json()) as Session;
  const streamed = text(await watch(controlPlane, sessionId));
  const late = await beginCreate(controlPlane);
  const never = await beginCreate(controlPlane);

  const startedAt = performance.now();
  const elapsedMs = startTurnClock();
  process.kill(controlPlane.pid, 'SIGTERM');

  expect(await streamed).toContain('event: reconnect\n');
  await expect.poll(() => isPortFree(Number(new URL(server).port))).toBe(true);
  late.send(BODY);
  expect(await late.untilClosed()).toContain('HTTP/1.1 201 Created');
  expect(elapsedMs()).toBeLessThan(8_000);

  await never.untilClosed();
  await controlPlane.stop();
  expect(performance.now() - startedAt).toBeGreaterThan(9_000);
  expect(elapsedMs()).toBeLessThan(14_000);
});
