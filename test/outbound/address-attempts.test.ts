import dns from 'node:dns';
import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { join } from 'node:path';
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { exchange } from '../../src/cli/doctor/http-exchange.ts';
import { createConnections } from '../../src/client/network/connections.ts';
import { probeUrl } from '../../src/client/network/probes.ts';
import { askToSend } from '../../src/client/part/part-questions.ts';
import { tryForgery } from '../../src/forgery/try-forgery.ts';
import { createClients } from '../../src/object-store/s3-clients.ts';
import { createAssumeRole } from '../../src/object-store/sts-credentials.ts';
import { ADDRESS_ATTEMPT_MS, directAgent } from '../../src/outbound/direct-agent.ts';
import { PatientSocket } from '../../src/outbound/patient-socket.ts';
import { createPost } from '../../src/server/webhooks/post.ts';
import { PostgresDatabase } from '../../src/session-store/postgres/driver.ts';
import { openPostgresStore } from '../../src/session-store/postgres/session-store.ts';
import { statement } from '../../src/session-store/postgres/statement.ts';
import { sql } from '../../src/session-store/sql/statement.ts';
import { aFolder } from '../support/client/sources.ts';
import { startSlowListener } from '../support/network/slow-handshake.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const account = { region: 'us-east-1', accessKeyId: 'an-id', secretAccessKey: 'a-secret' };
const rights = { bucket: 'b', keyPrefix: '' };
const part = { partNumber: 1, method: 'PUT', headers: {}, start: 0, end: 1, expiresAt: '' } as const;
const signal = () => new AbortController().signal;

/** All code that opens connections to a server or a store, by its purpose. */
const CONNECTORS: Record<string, (url: string) => Promise<unknown>> = {
  'parts and calls': (url) => get(url, createConnections().agentFor(url)),
  probes: (url) => probeUrl(url, { timeoutMs: 5_000 }),
  'questions about a part': (url) => askToSend({ ...part, url }, signal()),
  'the exchange of doctor': (url) => exchange(url, { makeAgent: directAgent, method: 'GET', headers: {} }),
  'forged requests': (endpoint) => tryForgery({ ...account, ...rights, endpoint, at: new Date(0) }),
  webhooks: (url) => createPost(url).post({ headers: {}, body: '{}' } as never, signal()),
  'repeated calls to the store': (endpoint) =>
    createClients({ ...account, endpoint }).calls.send(new HeadBucketCommand({ Bucket: 'b' })),
  'single calls to the store': (endpoint) =>
    createClients({ ...account, endpoint }).singleCalls.send(new HeadBucketCommand({ Bucket: 'b' })),
  'signing sessions': (endpoint) => createAssumeRole({ ...account, endpoint }, rights, Date.now).assumeRole(900),
};

describe('a connection to a name with several addresses', () => {
  for (const protocol of ['http', 'https'] as const) {
    it.each(Object.entries(CONNECTORS))(
      `gives each address the time limit that partway sets: %s over ${protocol}`,
      async (_, open) => {
        const attempts = spyOnConnections();
        await open(`${protocol}://127.0.0.1:9`).catch(() => {});
        expect(attempts.length).toBeGreaterThan(0);
        expect(new Set(attempts)).toEqual(new Set([ADDRESS_ATTEMPT_MS]));
      },
    );
  }

  it.each<[string, (url: string) => Promise<unknown>]>([
    ['that migrates', (url) => openPostgresStore(url)],
    ['of the pool', (url) => new PostgresDatabase(url).run(statement(sql('SELECT 1')), {})],
  ])('gives each address the time limit that partway sets: the connection to PostgreSQL %s', async (_, open) => {
    const connect = vi.spyOn(net.Socket.prototype, 'connect');
    await expect(open('postgres://ann:pw@127.0.0.1:9/partway')).rejects.toThrow('ECONNREFUSED');
    expect(connect).toHaveBeenCalledWith({ host: '127.0.0.1', port: 9, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS });
  });

  it.skipIf(process.platform === 'win32')('is unchanged if PostgreSQL listens on a Unix socket', async () => {
    const path = join(await aFolder(), '.s.PGSQL.5432');
    const server = net.createServer((socket) => void socket.end('here'));
    await new Promise<void>((listening) => server.listen(path, listening));
    onTestFinished(() => void server.close());
    const socket = new PatientSocket();
    const [piece] = await once(socket.connect(path), 'data');
    expect(String(piece)).toBe('here');
    socket.destroy();
  });

  it.skipIf(process.platform !== 'linux').each([
    ['parts and calls', CONNECTORS['parts and calls']],
    ['probes', CONNECTORS.probes],
    ['the socket to PostgreSQL', connectPatiently],
  ])('succeeds if the handshake takes a second and the other address refuses: %s', async (_, open) => {
    const listener = await startSlowListener();
    vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: unknown, found: (...found: unknown[]) => void) => {
      found(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]);
      // The SYN has been sent by now, and was dropped.
      listener.wake();
    }) as never);
    try {
      expect(await open?.(`http://dual.test:${listener.port}/`)).toBe(200);
    } finally {
      listener.close();
    }
  });
});

/** Connects as the PostgreSQL driver does, then sends just enough HTTP for the listener to answer. */
function connectPatiently(url: string): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = new PatientSocket();
    socket.on('error', reject).connect(Number(port), hostname, () => socket.write('GET / HTTP/1.0\r\n\r\n'));
    socket.once('data', (answer) => {
      socket.destroy();
      resolve(Number(String(answer).split(' ')[1]));
    });
  });
}

function get(url: string, agent: http.Agent): Promise<number | undefined> {
  const { request } = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (response) => {
      response.destroy();
      resolve(response.statusCode);
    });
    asked.on('error', reject).end();
  });
}

/** Collects, for each connection that an agent opens, its time limit for one address. */
function spyOnConnections(): (number | undefined)[] {
  const attempts: (number | undefined)[] = [];
  for (const { Agent } of [http, https]) {
    const prototype = Agent.prototype as unknown as { createConnection(options: Options): unknown };
    const createConnection = prototype.createConnection;
    vi.spyOn(prototype, 'createConnection').mockImplementation(function (this: unknown, options) {
      attempts.push(options.autoSelectFamilyAttemptTimeout);
      return createConnection.call(this, options);
    });
  }
  return attempts;
}

interface Options {
  readonly autoSelectFamilyAttemptTimeout?: number;
}
