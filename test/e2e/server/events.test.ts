import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openSqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { runCli } from '../../support/client/partway-cli.ts';
import {
  answersWith,
  NEVER_ANSWERS,
  type Received,
  TAKES,
  type Told,
  verify,
  WebhookReceiver,
} from '../../support/network/webhook-receiver.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { WEBHOOK_SECRET } from '../../support/server/events.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

/** Ends the leases of a dead server, which would otherwise take 30 s. */
function endLeases({ machineEnv }: ControlPlaneProcess): void {
  const db = openSqliteDatabase(String(machineEnv.PARTWAY_DATABASE_URL));
  db.exec("UPDATE events SET next_attempt_at = next_attempt_at - 60000 WHERE status = 'pending'");
  db.close();
}

describe('events, from a change of a session to the webhook', () => {
  let folder: string;
  let receiver: WebhookReceiver;
  let controlPlane: ControlPlaneProcess;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-events-'));
    receiver = await WebhookReceiver.start();
    const env = { PARTWAY_WEBHOOK_URL: `${receiver.url}/hook`, PARTWAY_WEBHOOK_SECRET: WEBHOOK_SECRET };
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket(), env });
    return async () => {
      await controlPlane.stop();
      await receiver.stop();
      rmSync(folder, { recursive: true, force: true });
    };
  });

  const receivedEvents = () => receiver.received.map((one) => verify(one, WEBHOOK_SECRET));
  const typesOf = (sessionId: string, all: readonly Told[] = receivedEvents()) =>
    all.filter(({ data }) => data.sessionId === sessionId).map(({ type }) => type);
  const onServer = (...args: string[]) => runCli(args, { ...controlPlane, env: { ...controlPlane.machineEnv } });

  async function ask(method: string, path: string, body?: object): Promise<{ sessionId: string }> {
    const response = await fetch(controlPlane.server + path, {
      method,
      headers: { authorization: `Bearer ${controlPlane.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as { sessionId: string };
  }
  const create = (fileName: string) => ask('POST', '/api/uploads', { fileName, size: 3 });
  const abort = (sessionId: string) => ask('DELETE', `/api/uploads/${sessionId}`);

  async function upload(name: string): Promise<string> {
    const path = join(folder, name);
    writeFileSync(path, name);
    truncateSync(path, 100_000);
    const { exitCode, events, stderr } = await runCli(['upload', path, '--json', '--metadata', 'project=north'], controlPlane);
    expect(exitCode, stderr).toBe(0);
    return String(events.at(-1)?.sessionId);
  }

  it('an upload sends two signed events, in order, the second with its result', async () => {
    const sessionId = await upload('C0142.MOV');
    await receiver.until(({ length }) => length === 2);

    expect(receivedEvents()).toMatchObject([
      { type: 'upload.created', data: { sessionId, sequence: 1, etag: null, checksum: null } },
      {
        type: 'upload.completed',
        data: {
          sessionId,
          sequence: 2,
          key: 'C0142.MOV',
          size: 100_000,
          metadata: expect.objectContaining({ project: 'north' }),
          etag: expect.stringMatching(/^".+"$/),
          checksum: expect.stringMatching(/^[\w+/]{6}==$/),
        },
      },
    ]);
    expect((await onServer('events', 'list', '--status', 'delivered')).stdout).toContain(String(receivedEvents()[1]?.id));
  });

  it('a failing webhook gets the same event again, and the later events after it', async () => {
    receiver.respond = answersWith(500);
    const { sessionId } = await create('a.mov');
    await abort(sessionId);
    await receiver.until(({ length }) => length >= 1);
    receiver.respond = TAKES;
    await receiver.until(({ length }) => length >= 3);

    expect(typesOf(sessionId)).toStrictEqual(['upload.created', 'upload.created', 'upload.aborted']);
    const [first, second] = receivedEvents();
    expect(second).toStrictEqual(first);
  });

  it('no event is lost when the server is killed -9 before or while it sends events', async () => {
    // The server dies while this request is in progress.
    receiver.respond = NEVER_ANSWERS;
    const onTheWire = await Promise.all(['a', 'b', 'c'].map(create));
    await receiver.until(({ length }) => length === 3);
    // The kill follows immediately after the last answers.
    const late = await Promise.all(Array.from({ length: 6 }, (_, index) => create(`late-${index}`)));
    await Promise.all(late.map(({ sessionId }) => abort(sessionId)));
    await controlPlane.kill();
    // Nothing has been answered yet, so all events must come again.
    const unanswered = receiver.received.length;
    receiver.respond = TAKES;
    endLeases(controlPlane);
    await controlPlane.restart();
    const after = await create('after');
    const all = [...onTheWire, ...late, after].map(({ sessionId }) => sessionId);
    await receiver.until((received) => hasAll(received.slice(unanswered), 3 + 6 * 2 + 1));

    const distinctEvents = withoutDuplicates(receivedEvents().slice(unanswered));
    for (const sessionId of all) {
      const sequences = distinctEvents.filter(({ data }) => data.sessionId === sessionId).map(({ data }) => data.sequence);
      const isLate = late.some((one) => one.sessionId === sessionId);
      expect(sequences).toStrictEqual(isLate ? [1, 2] : [1]);
    }
    expect((await onServer('events', 'list', '--status', 'dead')).stdout).toBe('No events.\n');
  });

  it('a webhook that answers 410 gets nothing more, until its dead events are replayed under their ids', async () => {
    receiver.respond = answersWith(410);
    const { sessionId } = await create('a.mov');
    await receiver.until(({ length }) => length === 1);
    await abort(sessionId);
    await receiver.until(({ length }) => length === 2);
    const dead = new Set(receivedEvents().map(({ id }) => id));
    receiver.respond = TAKES;

    // The server may not have recorded the answers to the events yet.
    let replayed = 0;
    while (replayed < 2) {
      const { events } = await onServer('events', 'replay', '--dead', '--json');
      replayed += Number(events[0]?.count);
    }
    await receiver.until(({ length }) => length === 4);

    expect(
      new Set(
        receivedEvents()
          .slice(2)
          .map(({ id }) => id),
      ),
    ).toStrictEqual(dead);
    expect(typesOf(sessionId, receivedEvents().slice(2)).sort()).toStrictEqual(['upload.aborted', 'upload.created']);
  });
});

/** Keeps the first event of each id, as a receiver does that drops duplicates. */
function withoutDuplicates(all: readonly Told[]): Told[] {
  return all.filter(({ id }, index) => all.findIndex((one) => one.id === id) === index);
}

function hasAll(received: readonly Received[], events: number): boolean {
  return new Set(received.map(({ headers }) => headers['webhook-id'])).size >= events;
}
