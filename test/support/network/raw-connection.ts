import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection that can send what no HTTP client would send. */
export class RawConnection {
  readonly #socket: Socket;
  #received = '';
  readonly #closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#received += bytes.toString('latin1');
    });
    // A server may refuse with a reset; only the bytes before it matter.
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async to(url: string): Promise<RawConnection> {
    const socket = connect(Number(new URL(url).port), new URL(url).hostname);
    onTestFinished(() => void socket.destroy());
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  /** The text received so far. */
  get received(): string {
    return this.#received;
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /** Resets the connection, as happens when a host disappears. */
  goAway(): void {
    this.#socket.resetAndDestroy();
  }

  /** Sends `piece` at this interval until the other end closes the connection. */
  drip(piece: string, everyMs: number): void {
    const dripping = setInterval(() => this.#socket.write(piece), everyMs);
    void this.#closed.then(() => clearInterval(dripping));
  }

  /** Resolves once the text has arrived; otherwise the test's own time limit ends the test. */
  async untilReceived(words: string): Promise<void> {
    while (!this.#received.includes(words)) await once(this.#socket, 'data');
  }

  /** Resolves with everything received, once the other end has closed the connection. */
  async untilClosed(): Promise<string> {
    await this.#closed;
    return this.#received;
  }

  /** Resolves with the one response received, once the other end has closed the connection. */
  async answer(): Promise<RawAnswer> {
    const text = await this.untilClosed();
    const [head = '', body = ''] = text.split('\r\n\r\n', 2);
    const [statusLine = '', ...lines] = head.split('\r\n');
    const headers = lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]);
    return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers), body };
  }
}
