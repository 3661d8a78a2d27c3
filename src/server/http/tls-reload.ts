import { stat } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import type { Log } from '../core/deps.ts';
import { readTlsPair, type TlsFiles } from './tls.ts';

export interface TlsReloadOptions {
  readonly files: TlsFiles;
  readonly apply: (options: SecureContextOptions) => void;
  readonly log: Log;
  readonly intervalMs: number;
}

export interface TlsReload {
  /** Reads the files at once, changed or not, because an administrator asked for it. */
  now(): Promise<void>;
  stop(): void;
}

/**
 * Puts a renewed certificate into use. The files are checked every `intervalMs`, because notifications of file systems get lost on
 * mounted and linked folders, where certificates mostly are. An unusable pair is logged once, and the pair in use stays.
 */
export async function startTlsReload({ files, apply, log, intervalMs }: TlsReloadOptions): Promise<TlsReload> {
  let seen = await look();
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<string> {
    const states = [files.certPath, files.keyPath].map((path) =>
      stat(path).then(
        ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
        () => 'missing',
      ),
    );
    return (await Promise.all(states)).join(', ');
  }

  async function reload(force: boolean): Promise<void> {
    // Before the files are read: a change in between is seen at the next check.
    const state = await look();
    if (state === seen && !force) return;
    seen = state;
    const pair = readTlsPair(files);
    if ('faults' in pair) return log.error({ faults: pair.faults }, 'the new TLS certificate cannot be used; the old one stays');
    apply(pair.options);
    log.info({ certificate: files.certPath }, 'the TLS certificate was read again');
  }

  function queue(force: boolean): Promise<void> {
    looking = looking
      .then(() => reload(force))
      .catch((error: unknown) => {
        log.error({ err: error }, 'the TLS certificate could not be read again');
      });
    return looking;
  }

  const timer = setInterval(() => void queue(false), intervalMs);
  timer.unref();
  return { now: () => queue(true), stop: () => clearInterval(timer) };
}
