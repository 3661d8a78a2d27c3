import { posix, win32 } from 'node:path';

/** The user and system whose folders are looked up. */
export interface User {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Undefined where the system does not know one. */
  readonly homeDirectory: string | undefined;
}

/** `data`: cannot be made again. `state`: journals and sockets. `cache`: can be made again. */
export type FolderKind = keyof typeof KINDS;

const KINDS = {
  data: { variable: 'XDG_DATA_HOME', darwin: ['Library', 'Application Support'], other: ['.local', 'share'] },
  state: { variable: 'XDG_STATE_HOME', darwin: ['Library', 'Application Support'], other: ['.local', 'state'] },
  cache: { variable: 'XDG_CACHE_HOME', darwin: ['Library', 'Caches'], other: ['.cache'] },
} as const;

/**
 * Returns partway's folder of this kind on this platform. The XDG variable counts on every platform, because it is set on purpose, but
 * not with a relative path, which the XDG specification calls invalid. Undefined without a home directory.
 */
export function userFolder(kind: FolderKind, user: User & { readonly homeDirectory: string }): string;
export function userFolder(kind: FolderKind, user: User): string | undefined;
export function userFolder(kind: FolderKind, { env, platform, homeDirectory }: User): string | undefined {
  const { join, isAbsolute } = platform === 'win32' ? win32 : posix;
  const { variable, darwin, other } = KINDS[kind];
  const named = env[variable];
  if (named !== undefined && isAbsolute(named)) return join(named, 'partway');
  if (platform === 'win32' && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, 'partway');
  if (!homeDirectory) return undefined;
  if (platform === 'win32') return join(homeDirectory, 'AppData', 'Local', 'partway');
  return join(homeDirectory, ...(platform === 'darwin' ? darwin : other), 'partway');
}
