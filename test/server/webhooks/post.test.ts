import { createServer } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { isConnectionError } from '../../../src/outbound/connection-errors.ts';
import { createPost, type Post } from '../../../src/server/webhooks/post.ts';
import { answersWith, NEVER_ANSWERS, WebhookReceiver } from '../../support/network/webhook-receiver.ts';

const MESSAGE = { headers: { 'content-type': 'application/json', 'webhook-id': 'evt_1' }, body: '{"ü":1}' };
const NO_END = new AbortController().signal;

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
  return () => receiver.stop();
});

function postTo(url: string): Post {
  const { post, close } = createPost(url);
  onTestFinished(close);
  return post;
}

describe('a POST to a webhook', () => {
  it('delivers headers and body, and returns the status', async () => {
    receiver.respond = answersWith(503, { 'retry-after': '7' });

    expect(await postTo(receiver.url)(MESSAGE, NO_END)).toStrictEqual({ status: 503, retryAfter: '7' });
    expect(receiver.received).toMatchObject([
      { body: MESSAGE.body, headers: { 'webhook-id': 'evt_1', 'content-type': 'application/json', 'content-length': '8' } },
    ]);
  });

  it('shows the user and the password of the URL to the receiver', async () => {
    await postTo(receiver.url.replace('http://', 'http://ann:pw@'))(MESSAGE, NO_END);

    expect(receiver.received[0]?.headers.authorization).toBe(`Basic ${Buffer.from('ann:pw').toString('base64')}`);
  });

  it('follows no redirect', async () => {
    receiver.respond = answersWith(307, { location: `${receiver.url}/elsewhere` });

    expect(await postTo(receiver.url)(MESSAGE, NO_END)).toMatchObject({ status: 307 });
    expect(receiver.received).toHaveLength(1);
  });

  it('uses a connection again', async () => {
    receiver.respond = (response) => response.end('ok');
    const post = postTo(receiver.url);
    for (let count = 0; count < 5; count++) await post(MESSAGE, NO_END);

    expect(receiver.received).toHaveLength(5);
    expect(receiver.connections).toBeLessThan(5);
  });

  it('does not wait for a body that never ends, and stops reading it', async () => {
    const closed = new Promise<void>((resolve) => {
      receiver.respond = (response) => {
        response.on('close', resolve).writeHead(200);
        const write = (): void => {
          if (!response.destroyed) response.write('x'.repeat(10_000), () => setImmediate(write));
        };
        write();
      };
    });

    expect(await postTo(receiver.url)(MESSAGE, NO_END)).toMatchObject({ status: 200 });
    await closed;
  });

  it('ends with the reason of its signal while there is no answer', async () => {
    receiver.respond = NEVER_ANSWERS;
    const end = new AbortController();
    const posting = postTo(receiver.url)(MESSAGE, end.signal);
    await receiver.until((received) => received.length === 1);

    end.abort(new Error('enough'));

    await expect(posting).rejects.toThrow('enough');
  });

  it('fails with the code of the connection where nothing listens', async () => {
    await expect(postTo(`http://127.0.0.1:${await freePort()}`)(MESSAGE, NO_END)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('reports a failure of the connection as such, whatever the connection reported', async () => {
    const nonsense = createServer(
      (socket) => void socket.on('error', () => {}).on('data', () => socket.end('SSH-2.0-OpenSSH\r\n')),
    );
    await new Promise<void>((resolve) => nonsense.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void nonsense.close());
    const { port } = nonsense.address() as { port: number };
    for (const url of [`http://127.0.0.1:${port}`, `https://127.0.0.1:${port}`, `http://127.0.0.1:${await freePort()}`]) {
      const error = await postTo(url)(MESSAGE, NO_END).catch((reason: unknown) => reason);
      expect(isConnectionError(error), url).toBe(true);
    }
    const mistake = await postTo(receiver.url)({ ...MESSAGE, headers: { 'x-name': 'a\nb' } }, NO_END).catch(
      (reason: unknown) => reason,
    );
    expect(mistake).toBeInstanceOf(TypeError);
    expect(isConnectionError(mistake)).toBe(false);
  });

  it('makes a new connection if a kept one was just closed, and fails if a new one is', async () => {
    let requests = 0;
    // Answers the first request of each connection and cuts the connection at the second, as a receiver that restarts does.
    const cutting = createServer((socket) => {
      let ofThisSocket = 0;
      socket.on('error', () => {});
      socket.on('data', () => {
        requests += 1;
        ofThisSocket += 1;
        if (ofThisSocket > 1 || requests > 3) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => cutting.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void cutting.close());
    const post = postTo(`http://127.0.0.1:${(cutting.address() as { port: number }).port}`);

    expect(await post(MESSAGE, NO_END)).toMatchObject({ status: 204 });
    expect(await post(MESSAGE, NO_END)).toMatchObject({ status: 204 });
    expect(requests).toBe(3);
    await expect(post(MESSAGE, NO_END)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});
