import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { skipBecause } from '../support/skip-because.ts';

const PART_REQUEST = fileURLToPath(new URL('../../dist/client/part/put-part.js', import.meta.url));

/** One PUT of a part, in a process of its own, which writes how it failed. */
const PUT = `
import { Agent } from 'node:http';
import { putPart } from ${JSON.stringify(PART_REQUEST)};
async function* pieces() { yield Buffer.from('partway'); }
try {
  await putPart({
    url: process.argv[1], headers: { 'content-length': '7' }, body: { pieces: pieces(), look() {}, end() {} },
    agent: new Agent(), stallMs: 5000, signal: new AbortController().signal, onBytes() {},
  });
} catch (error) {
  console.log(error.name + ' ' + error.message);
}
`;

/** A network of its own for one test, with a route of this kind and no other. */
function aNetworkWith(route: 'prohibit' | 'blackhole' | 'unreachable', context: TestContext): string {
  const name = `partway-${route}-${process.pid}`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
  } catch {
    skipBecause(context, 'needs network namespaces: root, iproute2, and a kernel that lets them be made');
  }
  onTestFinished(() => void execFileSync('ip', ['netns', 'delete', name]));
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  execFileSync('ip', ['-n', name, 'route', 'add', route, '10.98.0.1/32']);
  return name;
}

describe('a VPN or a firewall that closes the way to the store', () => {
  it.for([
    ['prohibit', 'EACCES'],
    ['blackhole', 'EINVAL'],
    ['unreachable', 'EHOSTUNREACH'],
  ] as const)('by a route of kind %s breaks a connection like any other: %s', ([route, code], context) => {
    const network = aNetworkWith(route, context);
    const node = [process.execPath, '--input-type=module', '--eval', PUT, 'http://10.98.0.1:9000/bucket/key'];
    const output = execFileSync('ip', ['netns', 'exec', network, ...node], { encoding: 'utf8', timeout: 20_000 });
    expect(output.trim()).toBe(`ConnectionFailure ${code}`);
  });
});
