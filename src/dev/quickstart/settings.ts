import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomCredentials } from '../minio/minio.ts';
import type { MinioCredentials } from '../minio/server.ts';
import { freePort } from '../process/free-port.ts';
import { SetupError } from '../process/setup-error.ts';

/** Settings that stay the same from one quick start to the next, so that sessions of the last one can be resumed. */
export interface QuickstartSettings {
  /** MinIO's root key, which creates the bucket and the control plane's user, and does nothing else. */
  readonly minio: MinioCredentials & { readonly port: number };
  /** The control plane's user at MinIO. */
  readonly controlPlane: MinioCredentials;
  readonly server: { readonly port: number; readonly token: string };
}

/** Settings that an earlier quick start saved: before the control plane had a user of its own, it used the root key. */
export type SavedSettings = Omit<QuickstartSettings, 'controlPlane'> & Partial<Pick<QuickstartSettings, 'controlPlane'>>;

/** The folder of the quick start, and the paths in it. */
export interface QuickstartFolder {
  readonly path: string;
  readonly objects: string;
  readonly database: string;
  readonly credentials: string;
  readonly clientEnv: string;
  readonly serverLog: string;
  readonly runRecord: string;
}

export async function openFolder(path: string): Promise<QuickstartFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  // Otherwise an existing folder would keep its mode.
  await chmod(path, 0o700);
  return {
    path,
    objects: join(path, 'minio'),
    database: join(path, 'partway.db'),
    credentials: join(path, 'credentials.json'),
    clientEnv: join(path, 'client.env'),
    serverLog: join(path, 'control-plane.log'),
    runRecord: join(path, 'running.json'),
  };
}

/** Returns the settings of the last run, or new ones. It keeps the ports of the last run if they are free. */
export async function chooseSettings(folder: QuickstartFolder, saved: SavedSettings | undefined): Promise<QuickstartSettings> {
  const minioPort = await freePort(saved?.minio.port);
  // Before the control plane had a user, part URLs showed root's id, and anyone who knows that id needs no key at MinIO (CVE-2026-41145).
  const root = saved?.controlPlane === undefined ? randomCredentials() : saved.minio;
  const serverPort = await freePort(saved?.server.port);
  const settings = {
    minio: { ...root, port: minioPort },
    controlPlane: saved?.controlPlane ?? randomCredentials(),
    server: { token: saved?.server.token ?? randomBytes(32).toString('base64url'), port: serverPort },
  };
  await writePrivately(folder.credentials, `${JSON.stringify(settings, null, 2)}\n`);
  await writePrivately(folder.clientEnv, clientEnv(settings));
  return settings;
}

export async function readSettings(folder: QuickstartFolder): Promise<SavedSettings | undefined> {
  const text = await readIfThere(folder.credentials);
  if (text === undefined) return undefined;
  try {
    const settings = JSON.parse(text) as SavedSettings;
    if (settings.minio.secretAccessKey && settings.server.token) return settings;
  } catch {
    // Reported below.
  }
  throw new SetupError(
    `${folder.credentials} is damaged. Delete it and run the same command again: that creates new credentials.`,
  );
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Commands for a shell to source, so that the token need not be typed or shown. */
function clientEnv({ server }: QuickstartSettings): string {
  return `export PARTWAY_SERVER=${serverUrl(server.port)}\nexport PARTWAY_TOKEN=${server.token}\n`;
}

export function serverUrl(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function writePrivately(path: string, text: string): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await rename(unfinished, path);
}
