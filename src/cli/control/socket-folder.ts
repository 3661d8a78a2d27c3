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

type SocketContext = Pick<CliContext, 'env' | 'platform' | 'homeDirectory' | 'temporaryDirectory'>;

/**
 * The folder of the sockets by which uploads of this user on this machine are controlled. Each client has its own socket, so that no
 * client can take another's, and a stale one never comes back to life.
 */
export class SocketFolder {
  readonly #directory: string;
  readonly #prefix: string;
  readonly #hasPipes: boolean;

  constructor(place: SocketContext) {
    const ownState = userFolder('state', place);
    const state = ownState ?? `user ${process.getuid?.() ?? ''}`;
    this.#hasPipes = place.platform === 'win32';
    const beside = posix.join(state, 'control');
    const isShort = ownState !== undefined && Buffer.byteLength(beside) + 1 + NAME_LENGTH <= LONGEST_SOCKET_PATH;
    if (this.#hasPipes) this.#directory = '\\\\.\\pipe\\';
    else this.#directory = isShort ? beside : posix.join(place.temporaryDirectory, `partway-${digest(state)}`);
    this.#prefix = this.#hasPipes ? `partway-${digest(state)}-` : '';
  }

  /** Returns a new path for a client of this session to listen at. @throws if other users cannot be kept out of the folder */
  async newSocket(sessionId: string): Promise<string> {
    if (!this.#hasPipes) {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      if (!(await this.#isPrivate())) throw new Error(`others may write to ${this.#directory}`);
    }
    return this.#path(`${this.#prefix}${digest(sessionId)}-${randomBytes(RANDOM_BYTES).toString('hex')}`);
  }

  /** Lists the paths of all sockets, or of one session's; a client may or may not listen at each. */
  async sockets(sessionId: string | undefined): Promise<string[]> {
    if (!this.#hasPipes && !(await this.#isPrivate())) return [];
    const start = this.#prefix + (sessionId === undefined ? '' : `${digest(sessionId)}-`);
    const names = await readdir(this.#directory).catch(() => []);
    return names.filter((name) => name.startsWith(start)).map((name) => this.#path(name));
  }

  /** Removes the socket that a killed client left behind. */
  async remove(path: string): Promise<void> {
    if (!this.#hasPipes) await rm(path, { force: true });
  }

  #path(name: string): string {
    return this.#hasPipes ? this.#directory + name : posix.join(this.#directory, name);
  }

  /** In a temporary directory that all users may write to, another user may have made the folder first. */
  async #isPrivate(): Promise<boolean> {
    const stats = await lstat(this.#directory).catch(() => undefined);
    return stats?.isDirectory() === true && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
  }
}

/** Short, and without any character that a path cannot have. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);
}
