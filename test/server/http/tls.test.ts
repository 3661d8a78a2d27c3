import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../../src/server/core/config-error.ts';
import { type Listening, type ListenOptions, listen } from '../../../src/server/http/listen.ts';
import { readTlsPair, type TlsFiles } from '../../../src/server/http/tls.ts';
import { aFolder } from '../../support/client/sources.ts';
import { makeCertificate, writeCertificate } from '../../support/network/certificates.ts';
import { RawConnection } from '../../support/network/raw-connection.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';
import { skipBecause } from '../../support/skip-because.ts';

const LOOK_MS = 20;
const ONE = makeCertificate('one');
const TWO = makeCertificate('two');

let folder: string;
let files: TlsFiles;
beforeEach(async () => {
  folder = await aFolder();
  files = writeCertificate(folder, ONE);
});

async function start(bench = new EdgeBench(), changes: Partial<ListenOptions> = {}): Promise<Listening> {
  const { fetch } = bench.app;
  const options = { host: '127.0.0.1', port: 0, tls: files, trustedProxies: [], log: bench.deps.log, certificateLookMs: LOOK_MS };
  const listening = await listen(fetch, { ...options, ...changes });
  onTestFinished(() => listening.close());
  return listening;
}

/** The name in the certificate that a new connection is shown. */
function shownName(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

function get(url: string, ca: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { ca, agent: false }, (answer) => resolve(answer.resume()))
      .on('error', reject)
      .end();
  });
}

const messages = (bench: EdgeBench, level: string) =>
  bench.logged.filter((line) => line.level === level).map(({ message }) => message);

describe('a server with a certificate', () => {
  it('speaks HTTPS to clients that trust it', async () => {
    const { url } = await start();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect((await get(`${url}/healthz`, ONE.cert)).statusCode).toBe(200);
    await expect(get(`${url}/healthz`, TWO.cert)).rejects.toThrow(/self-signed|unable to verify/);
  });

  it('speaks no older version than TLS 1.2', async () => {
    const { url } = await start();
    const port = Number(new URL(url).port);
    const versionOf = (version: 'TLSv1.1' | 'TLSv1.2') =>
      new Promise((resolve, reject) => {
        const options = { port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1', maxVersion: version } as const;
        const ciphers = 'DEFAULT:@SECLEVEL=0';
        const socket = connect({ ...options, ciphers }, () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.on('error', reject);
      });
    expect(await versionOf('TLSv1.2')).toBe('TLSv1.2');
    await expect(versionOf('TLSv1.1')).rejects.toThrow();
  });

  it('closes a connection that speaks plain HTTP, and serves the others', async () => {
    const { url } = await start();
    await expect(fetch(`${url.replace('https', 'http')}/healthz`)).rejects.toThrow();
    expect((await get(`${url}/healthz`, ONE.cert)).statusCode).toBe(200);
  });
});

describe('a connection to it', () => {
  it('that begins no TLS is closed in time', async () => {
    const { url } = await start(undefined, { limits: { headersTimeoutMs: 200 } });
    expect(await (await RawConnection.to(url)).untilClosed()).toBe('');
  });

  it('that sends no request is closed in time', async () => {
    const { url } = await start(undefined, { limits: { headersTimeoutMs: 200, checkEveryMs: 50 } });
    const received = new Promise((resolve, reject) => {
      let text = '';
      const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', ca: ONE.cert });
      socket.on('error', reject).on('close', () => resolve(text));
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
    });
    expect(await received).toMatch(
      /^HTTP\/1\.1 408 (.|\r\n)*strict-transport-security: max-age=31536000(.|\r\n)*"code":"REQUEST_TIMEOUT"/,
    );
  });

  it('counts like others', async () => {
    const { url } = await start(undefined, { limits: { maxConnectionsPerAddress: 1 } });
    await RawConnection.to(url);
    await expect(shownName(url)).rejects.toThrow();
  });
});

describe('a renewed certificate', () => {
  it('is shown to new connections without a restart, and the old ones go on', async () => {
    const bench = new EdgeBench();
    const { url } = await start(bench);
    expect(await shownName(url)).toBe('one');
    writeCertificate(folder, TWO);
    await expect.poll(() => shownName(url)).toBe('two');
    expect((await get(`${url}/healthz`, TWO.cert)).statusCode).toBe(200);
  });

  it('is seen when its files are put in place by renaming, as most tools do', async () => {
    const { url } = await start();
    const next = writeCertificate(await aFolder(), TWO);
    renameSync(next.keyPath, files.keyPath);
    renameSync(next.certPath, files.certPath);
    await expect.poll(() => shownName(url)).toBe('two');
  });

  it('is read at once on request', async () => {
    const bench = new EdgeBench();
    const { url, reloadCertificate } = await start(bench, { certificateLookMs: 3_600_000 });
    writeCertificate(folder, TWO);
    await reloadCertificate();
    expect(await shownName(url)).toBe('two');
    // A requested reload is logged, also where nothing has changed.
    await reloadCertificate();
    expect(messages(bench, 'info')).toEqual(Array.from({ length: 2 }, () => 'the TLS certificate was read again'));
  });

  it.each<[string, () => void]>([
    ['whose key belongs to another', () => writeFileSync(files.certPath, TWO.cert)],
    ['that is half written', () => writeFileSync(files.certPath, TWO.cert.slice(0, 200))],
    ['that is gone', () => rmSync(files.keyPath)],
  ])('%s leaves the old one in use and is logged once, until it is fixed', async (_, spoil) => {
    const bench = new EdgeBench();
    const { url } = await start(bench);
    spoil();
    await expect.poll(() => messages(bench, 'error')).toHaveLength(1);
    // The files are checked several times meanwhile.
    for (let connection = 0; connection < 20; connection++) expect(await shownName(url)).toBe('one');
    expect(messages(bench, 'error')).toEqual(['the new TLS certificate cannot be used; the old one stays']);
    expect(JSON.stringify(bench.logged)).not.toContain('PRIVATE KEY');
    writeCertificate(folder, TWO);
    await expect.poll(() => shownName(url)).toBe('two');
  });
});

describe('the files of a certificate', () => {
  const faultsOf = (paths: TlsFiles): readonly string[] => {
    const pair = readTlsPair(paths);
    return 'faults' in pair ? pair.faults : [];
  };

  it('are faultless where they belong together', () => {
    expect(faultsOf(files)).toEqual([]);
  });

  it('are both reported where both are missing', () => {
    expect(faultsOf({ certPath: '/nowhere/cert.pem', keyPath: '/nowhere/key.pem' })).toEqual([
      'PARTWAY_TLS_CERT names /nowhere/cert.pem, which does not exist',
      'PARTWAY_TLS_KEY names /nowhere/key.pem, which does not exist',
    ]);
  });

  it('are recognised where they are mixed up', () => {
    expect(faultsOf({ certPath: files.keyPath, keyPath: files.certPath })).toEqual([
      `PARTWAY_TLS_CERT names ${files.keyPath}, which holds no certificate in PEM form`,
      `PARTWAY_TLS_KEY names ${files.certPath}, which holds no private key that needs no passphrase in PEM form`,
    ]);
  });

  it('must match', () => {
    writeFileSync(files.keyPath, TWO.key);
    expect(faultsOf(files)).toEqual([
      `PARTWAY_TLS_KEY names ${files.keyPath}, which is not the key of the certificate in ${files.certPath}`,
    ]);
  });

  it('must not be folders', () => {
    expect(faultsOf({ ...files, certPath: folder })).toEqual([`PARTWAY_TLS_CERT names ${folder}, which cannot be read (EISDIR)`]);
  });

  it('must be readable', (context) => {
    if (process.getuid?.() === 0 || process.platform === 'win32') skipBecause(context, 'this user may read every file');
    chmodSync(files.keyPath, 0o000);
    expect(faultsOf(files)).toEqual([`PARTWAY_TLS_KEY names ${files.keyPath}, which cannot be read (EACCES)`]);
  });

  it('that cannot be used keep the server from starting', async () => {
    const starting = start(undefined, { tls: { ...files, keyPath: join(folder, 'nosuch.pem') } });
    await expect(starting).rejects.toThrow(ConfigError);
  });
});
