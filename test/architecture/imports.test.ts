import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BIOME = resolve('node_modules/@biomejs/biome/bin/biome');

/** A file of the first path that imports the second one. Neither need exist: lint judges by the path alone. */
const FORBIDDEN = [
  ['src/session/new.ts', '../contract/wire.ts'],
  ['src/text/new.ts', '../session/errors.ts'],
  ['src/installation/new.ts', '../session/errors.ts'],
  ['src/contract/new.ts', '../client/index.ts'],
  ['src/outbound/new.ts', '../session/errors.ts'],
  ['src/forgery/new.ts', '../session/errors.ts'],
  ['src/object-store/new.ts', '../server/app.ts'],
  ['src/session-store/new.ts', '../server/app.ts'],
  ['src/session-store/port/new.ts', '../sql/session-rows.ts'],
  ['src/session-store/sqlite/new.ts', '../postgres/driver.ts'],
  ['src/session-store/sqlite/new.ts', '../../server/app.ts'],
  ['src/session-store/sqlite/file/new.ts', '../driver.ts'],
  ['src/server/new.ts', '../client/index.ts'],
  ['src/server/new.ts', '../session-store/open.ts'],
  ['src/server/core/new.ts', '../lifecycle/end.ts'],
  ['src/server/core/new.ts', '../../client/index.ts'],
  ['src/server/http/new.ts', '../../session-store/open.ts'],
  ['src/server/lifecycle/new.ts', '../metrics/metrics.ts'],
  ['src/server/webhooks/new.ts', '../metrics/metrics.ts'],
  ['src/server/admin/new.ts', 'better-sqlite3'],
  ['src/client/new.ts', '../server/app.ts'],
  ['src/client/progress/new.ts', '../part/put-part.ts'],
  ['src/client/part/new.ts', '../transfer/upload.ts'],
  ['src/client/part/new.ts', 'zod'],
  ['src/client/network/new.ts', 'node:process'],
  ['src/client/control-plane/answers/new.ts', '../http-call.ts'],
  ['src/cli/new.ts', '../server/app.ts'],
  ['src/cli/format/new.ts', '../errors/failure.ts'],
  ['src/cli/commands/new.ts', '../../server/app.ts'],
  ['src/cli/admin/new.ts', '../../session-store/open.ts'],
  ['src/dev/minio/new.ts', '../quickstart/messages.ts'],
  ['src/dev/minio/new.ts', '../../server/app.ts'],
] as const;
const ALLOWED = [
  ['src/server/lifecycle/new.ts', '../core/deps.ts'],
  ['src/server/http/new.ts', '../../session-store/port/session-store.ts'],
  ['src/server/commands.ts', './metrics/metrics.ts'],
  ['src/client/control-plane/answers/new.ts', '../../../contract/wire.ts'],
  ['src/session-store/sqlite/file/new.ts', '../../port/file-loss.ts'],
  ['src/cli/commands/new.ts', '../upload/connect.ts'],
  ['src/dev/process/new.ts', '../../installation/user-folders.ts'],
] as const;

/** The project's lint configuration, with a file for each import. */
const folder = mkdtempSync(join(tmpdir(), 'partway-lint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let complaints: ReadonlySet<string>;

beforeAll(() => {
  const ofRooms = readdirSync('src').map((room) => `src/${room}/biome.json`);
  for (const config of ['biome.json', ...ofRooms.filter((path) => existsSync(path))]) copy(config);
  for (const [file, imported] of [...FORBIDDEN, ...ALLOWED]) write(file, imported);
  complaints = lint();
});

describe('lint', () => {
  it.each(FORBIDDEN)('does not let %s import %s', (file, imported) => {
    expect(complaints).toContain(nameOf(file, imported));
  });

  it.each(ALLOWED)('lets %s import %s', (file, imported) => {
    expect(complaints).not.toContain(nameOf(file, imported));
  });
});

function copy(config: string): void {
  mkdirSync(join(folder, dirname(config)), { recursive: true });
  cpSync(config, join(folder, config));
}

function write(file: string, imported: string): void {
  const path = join(folder, nameOf(file, imported));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import { x } from '${imported}';\n\nexport const y = x;\n`);
}

/** Several imports are tried from one folder, each from a file of its own. */
function nameOf(file: string, imported: string): string {
  return file.replace('new.ts', `imports-${imported.replace(/[^a-z0-9]+/g, '-').replace(/^-/, '')}.ts`);
}

function lint(): ReadonlySet<string> {
  const options = ['--only=style/noRestrictedImports', '--reporter=github', '--max-diagnostics=none'];
  const { stdout } = spawnSync(process.execPath, [BIOME, 'lint', ...options], { cwd: folder, encoding: 'utf8' });
  return new Set([...stdout.matchAll(/file=\S*?\/(src\/[^,]+),/g)].map(([, path]) => path ?? ''));
}
