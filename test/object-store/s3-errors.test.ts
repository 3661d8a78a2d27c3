import { createServer, type Socket } from 'node:net';
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../src/dev/process/free-port.ts';
import { ObjectStoreError } from '../../src/object-store/port.ts';
import { createS3ObjectStore } from '../../src/object-store/s3.ts';
import { createCalls } from '../../src/object-store/s3-clients.ts';
import { toObjectStoreError } from '../../src/object-store/s3-errors.ts';
import { noteConnectionError } from '../../src/outbound/connection-errors.ts';

const withCode = <Kind extends Error>(error: Kind, code: string) => Object.assign(error, { code });
const CODES = ['ECONNRESET', 'EACCES', 'EINVAL', 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'HPE_INVALID_CONSTANT', 'ENEWCODE'];
const account = { region: 'us-east-1', accessKeyId: 'an-id', secretAccessKey: 'a-secret' };

describe('an error without an answer of the object store', () => {
  it.each([...CODES.map((code) => withCode(new Error('connect'), code)), new Error('without a code')])(
    'that comes from the connection means that the object store is unavailable: %s',
    (error) => {
      expect(toObjectStoreError(noteConnectionError(error))).toMatchObject({ name: 'ObjectStoreError', failure: 'unavailable' });
    },
  );

  it.each([
    ...CODES.map((code) => withCode(new Error('reading a file of ours'), code)),
    withCode(new TypeError('Invalid character in header content'), 'ERR_INVALID_CHAR'),
    withCode(new RangeError('Port should be >= 0 and < 65536'), 'ERR_SOCKET_BAD_PORT'),
  ])('that comes from elsewhere is unchanged, whatever its code: %s', (mistake) => {
    expect(toObjectStoreError(mistake)).toBe(mistake);
  });
});

/** Starts a server that handles each connection in this way. Returns its endpoint. */
async function listenerThat(act: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    act(socket);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

const answering = (text: string) => (socket: Socket) => void socket.on('data', () => socket.end(text));
const CUT_REFUSAL = 'HTTP/1.1 403 Forbidden\r\ncontent-type: application/xml\r\ncontent-length: 900\r\n\r\n<Error><Code>Acc';

describe('a store at the end of a bad link', () => {
  it.each<[string, () => Promise<string>]>([
    ['nothing listens', async () => `http://127.0.0.1:${await freePort()}`],
    ['every connection is reset', async () => `http://${await listenerThat((socket) => socket.resetAndDestroy())}`],
    ['something answers that is not HTTP', async () => `http://${await listenerThat(answering('SSH-2.0-OpenSSH\r\n'))}`],
    [
      'something answers that is not TLS',
      async () => `https://${await listenerThat(answering('HTTP/1.1 400 Bad Request\r\n\r\n'))}`,
    ],
    ['a refusal breaks off', async () => `http://${await listenerThat(answering(CUT_REFUSAL))}`],
  ])('is unavailable for calls, signing sessions and forged requests if %s', async (_, start) => {
    const endpoint = await start();
    const signing = { kind: 'sts', urlTtlSeconds: 60 } as const;
    const store = createS3ObjectStore({ ...account, endpoint, publicEndpoint: endpoint, bucket: 'b', signing });
    const signingItself = createS3ObjectStore({ ...account, endpoint, publicEndpoint: endpoint, bucket: 'b' });
    onTestFinished(() => {
      store.close();
      signingItself.close();
    });
    const calls = [() => store.checkBucket(), () => store.checkSigning(), () => signingItself.tryForgery()];
    for (const call of calls) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ObjectStoreError);
      expect(error).toMatchObject({
        failure: 'unavailable',
        message: expect.stringMatching(/^no answer from the object store: [^\n]+$/),
      });
    }
  });
});

it('a mistake before the request is sent is no connection error, although its code looks like one', async () => {
  const client = createCalls({ ...account, endpoint: `http://127.0.0.1:${await freePort()}` });
  onTestFinished(() => client.destroy());
  const mistake = withCode(new Error('a step of ours'), 'ECONNRESET');
  client.middlewareStack.add(
    () => async () => {
      throw mistake;
    },
    { step: 'build', name: 'mistake' },
  );
  const error = await client.send(new HeadBucketCommand({ Bucket: 'b' })).catch((reason: unknown) => reason);
  expect(toObjectStoreError(error)).toBe(mistake);
});
