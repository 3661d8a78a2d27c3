import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { DatabaseLocation } from '../settings/file-locations.ts';

/** Where the first token goes, which is shown this once. */
export interface FirstTokenPlace {
  /** Called before the token is recorded: one that could not be kept must not be the only one. @throws the system's error */
  keep(token: string): void;
  /** Called once it is recorded. */
  tell(token: string): void;
  /** Called where it could not be recorded: it is good for nothing. */
  discard(): void;
}

/** A terminal: what is written there is kept by nothing. */
export function atTerminal(write: (text: string) => void): FirstTokenPlace {
  return {
    keep() {},
    tell: (token) => write(`Made the first token. It is shown only now; clients need it as PARTWAY_TOKEN:\n\n  ${token}\n\n`),
    discard() {},
  };
}

/** A file that its owner alone may read. Output that goes elsewhere than to a terminal is kept: by journald, by Docker, in a log file. */
export function inFile(path: string, tell: (path: string) => void): FirstTokenPlace {
  const prepared = `${path}.${process.pid}`;
  return {
    keep(token) {
      // With PostgreSQL and no audit log, nothing else has made it.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      rmSync(prepared, { force: true });
      // Under another name first: a file that has the name keeps its mode when it is written, and may be a link to elsewhere.
      writeFileSync(prepared, `${token}\n`, { flag: 'wx', mode: 0o600 });
      renameSync(prepared, path);
    },
    tell: () => tell(path),
    discard: () => rmSync(path, { force: true }),
  };
}

/** Beside the SQLite file; in the folder for data where there is none. */
export function firstTokenPath(database: DatabaseLocation, dataFolder: string): string {
  const folder = database.kind === 'sqlite' && database.path !== ':memory:' ? dirname(database.path) : dataFolder;
  return resolve(join(folder, 'first-token'));
}
