import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { posix } from 'node:path';
import { userFolder } from '../../installation/user-folders.ts';
import type { CliContext } from '../terminal/context.ts';

/** `sun_path` has 108 bytes on Linux, 104 on macOS, the closing zero included. */
const LONGEST_SOCKET_PATH = 103;
const DIGEST_LENGTH = 12;
const RANDOM_BYTES = 4;
const NAME_LENGTH = DIGEST_LENGTH + 1 + 2 * RANDOM_BYTES;

type Place = Pick<CliContext, 'env' | 'platform' | 'homeDirectory' | 'temporaryDirectory'>;

/**
 * Where the uploads of this user and machine can be spoken to: each client has a socket of its own, so that none can take
 * another's away, nor a stale one come to life again.
 */
export class SocketFolder {
  readonly #directory: string;
  readonly #prefix: string;
  readonly #hasPipes: boolean;

  constructor(place: Place) {
    const ownState = userFolder('state', place);
    const state = ownState ?? `user ${process.getuid?.() ?? ''}`;
    this.#hasPipes = place.platform === 'win32';
    const beside = posix.join(state, 'control');
    const isShort = ownState !== undefined && Buffer.byteLength(beside) + 1 + NAME_LENGTH <= LONGEST_SOCKET_PATH;
    if (this.#hasPipes) this.#directory = '\\\\.\\pipe\\';
    else this.#directory = isShort ? beside : posix.join(place.temporaryDirectory, `partway-${digest(state)}`);
    this.#prefix = this.#hasPipes ? `partway-${digest(state)}-` : '';
  }

  /** A new path for a client of this session to listen at. @throws where nobody else may be kept out of the folder. */
  async newSocket(sessionId: string): Promise<string> {
    if (!this.#hasPipes) {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      if (!(await this.#isPrivate())) throw new Error(`others may write to ${this.#directory}`);
    }
    return this.#path(`${this.#prefix}${digest(sessionId)}-${randomBytes(RANDOM_BYTES).toString('hex')}`);
  }

  /** Paths of all sockets there are, or of those of one session; whether anybody listens is another question. */
  async sockets(sessionId: string | undefined): Promise<string[]> {
    if (!this.#hasPipes && !(await this.#isPrivate())) return [];
    const start = this.#prefix + (sessionId === undefined ? '' : `${digest(sessionId)}-`);
    const names = await readdir(this.#directory).catch(() => []);
    return names.filter((name) => name.startsWith(start)).map((name) => this.#path(name));
  }

  /** Takes away what a client that was killed left behind. */
  async remove(path: string): Promise<void> {
    if (!this.#hasPipes) await rm(path, { force: true });
  }

  #path(name: string): string {
    return this.#hasPipes ? this.#directory + name : posix.join(this.#directory, name);
  }

  /** In a temporary directory that all may write to, somebody else may have made the folder first. */
  async #isPrivate(): Promise<boolean> {
    const stats = await lstat(this.#directory).catch(() => undefined);
    return stats?.isDirectory() === true && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
  }
}

/** Short, and without any character that a path cannot have. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);
}
