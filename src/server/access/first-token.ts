import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { DatabaseLocation } from '../settings/file-locations.ts';

/** The place where the first token is shown, once. */
export interface FirstTokenPlace {
  /** Called before the token is recorded: a token that could not be kept must not become the only one. @throws the system's error */
  keep(token: string): void;
  /** Called after it was recorded. */
  announce(token: string): void;
  /** Called if it could not be recorded and is useless. */
  discard(): void;
}

/** Shows the token at a terminal, whose output is not kept. */
export function atTerminal(write: (text: string) => void): FirstTokenPlace {
  return {
    keep() {},
    announce: (token) => write(`Made the first token. It is shown only now; clients need it as PARTWAY_TOKEN:\n\n  ${token}\n\n`),
    discard() {},
  };
}

/** Writes the token into a file that only its owner may read, because other output than a terminal's is kept: by journald, by Docker, in a log file. */
export function inFile(path: string, announce: (path: string) => void): FirstTokenPlace {
  const prepared = `${path}.${process.pid}`;
  return {
    keep(token) {
      // With PostgreSQL and no audit log, nothing else has made the folder.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      rmSync(prepared, { force: true });
      // Under another name first: an existing file would keep its mode, and could be a link to another place.
      writeFileSync(prepared, `${token}\n`, { flag: 'wx', mode: 0o600 });
      renameSync(prepared, path);
    },
    announce: () => announce(path),
    discard: () => rmSync(path, { force: true }),
  };
}

/** Returns the path beside the SQLite file, or in the data folder where there is none. */
export function firstTokenPath(database: DatabaseLocation, dataFolder: string): string {
  const folder = database.kind === 'sqlite' && database.path !== ':memory:' ? dirname(database.path) : dataFolder;
  return resolve(join(folder, 'first-token'));
}
