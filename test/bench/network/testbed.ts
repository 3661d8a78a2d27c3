import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Two virtual hosts on one computer: network namespaces joined by a veth pair. The client's side is shaped (tc tbf) and the server's side
 * drops packets (nft). Needs root, iproute2 and nftables; leaves nothing behind.
 */
export interface Testbed {
  readonly serverAddress: string;
  /** Runs a program on one of the hosts. */
  spawn(host: Host, command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Drops this share of packets, in both directions: 0.01 is one in a hundred. */
  setLoss(share: number): void;
  /** Drops every packet, in both directions. */
  blackout(on: boolean): void;
  /** Resets connections, and refuses new ones. */
  refuse(on: boolean): void;
  /** Bytes that the client has put on the wire, headers and retransmissions included. */
  bytesOnWire(): number;
  /** Resolves when the client has put this many more bytes on the wire. */
  untilSent(bytes: number): Promise<void>;
  remove(): void;
}

export type Host = 'client' | 'server';

export interface SpawnOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Destination of its output: kept for an error message, or discarded. */
  readonly keepOutput?: boolean;
}

const ADDRESS = { client: '10.77.0.1', server: '10.77.0.2' } as const;

export function createTestbed(megabitsPerSecond: number): Testbed {
  checkTools();
  const tag = process.pid.toString(36);
  const namespace = { client: `pwc-${tag}`, server: `pws-${tag}` } as const;
  const device = { client: `pwc${tag}`, server: `pws${tag}` } as const;
  const on = (host: Host, ...command: string[]) => run('ip', 'netns', 'exec', namespace[host], ...command);

  for (const host of ['client', 'server'] as const) run('ip', 'netns', 'add', namespace[host]);
  run(
    'ip',
    'link',
    'add',
    device.client,
    'netns',
    namespace.client,
    'type',
    'veth',
    'peer',
    'name',
    device.server,
    'netns',
    namespace.server,
  );
  for (const host of ['client', 'server'] as const) {
    on(host, 'ip', 'addr', 'add', `${ADDRESS[host]}/24`, 'dev', device[host]);
    on(host, 'ip', 'link', 'set', device[host], 'up');
    on(host, 'ip', 'link', 'set', 'lo', 'up');
  }
  // With segmentation offload a packet, and so each lost one, could have up to 64 KiB.
  for (const host of ['client', 'server'] as const) on(host, 'ip', 'link', 'set', 'dev', device[host], 'gso_max_segs', '1');
  on(
    'client',
    'tc',
    'qdisc',
    'add',
    'dev',
    device.client,
    'root',
    'tbf',
    'rate',
    `${megabitsPerSecond}mbit`,
    'burst',
    '64kb',
    'latency',
    '50ms',
  );
  for (const chain of ['input', 'output']) {
    on('server', 'nft', 'add', 'table', 'inet', 'link');
    on('server', 'nft', 'add', 'chain', 'inet', 'link', chain, `{ type filter hook ${chain} priority 0 ; }`);
  }
  const rules = { loss: 0, blackout: false, refuse: false };

  function applyRules(): void {
    on('server', 'nft', 'flush', 'table', 'inet', 'link');
    const rule = (chain: string, ...words: string[]) => on('server', 'nft', 'add', 'rule', 'inet', 'link', chain, ...words);
    for (const [chain, direction] of [
      ['input', 'iifname'],
      ['output', 'oifname'],
    ] as const) {
      const ours = [direction, device.server];
      if (rules.blackout) rule(chain, ...ours, 'drop');
      if (rules.loss > 0)
        rule(chain, ...ours, 'numgen', 'random', 'mod', '10000', '<', String(Math.round(rules.loss * 10_000)), 'drop');
    }
    if (rules.refuse) rule('input', 'iifname', device.server, 'meta', 'l4proto', 'tcp', 'reject', 'with', 'tcp', 'reset');
  }

  function bytesOnWire(): number {
    return Number(on('client', 'cat', `/sys/class/net/${device.client}/statistics/tx_bytes`));
  }

  return {
    serverAddress: ADDRESS.server,
    bytesOnWire,
    spawn: (host, command, args, { env = process.env, cwd, keepOutput = false } = {}) =>
      spawn('ip', ['netns', 'exec', namespace[host], command, ...args], {
        env,
        stdio: ['ignore', keepOutput ? 'pipe' : 'ignore', keepOutput ? 'pipe' : 'ignore'],
        ...(cwd === undefined ? {} : { cwd }),
      }),
    setLoss(share) {
      rules.loss = share;
      applyRules();
    },
    blackout(active) {
      rules.blackout = active;
      applyRules();
    },
    refuse(active) {
      rules.refuse = active;
      applyRules();
    },
    async untilSent(bytes) {
      const target = bytesOnWire() + bytes;
      while (bytesOnWire() < target) await wait(20);
    },
    remove() {
      for (const host of ['client', 'server'] as const) tryRun('ip', 'netns', 'del', namespace[host]);
    },
  };
}

function checkTools(): void {
  const missing = ['ip', 'tc', 'nft'].filter((tool) => !succeeds('which', tool));
  if (process.getuid?.() === 0 && missing.length === 0) return;
  throw new Error(
    `This benchmark makes network namespaces. It needs Linux, root, and the tools ip and tc (iproute2) and nft (nftables).\n` +
      (missing.length > 0
        ? `Missing here: ${missing.join(', ')}. On Debian: apt-get install iproute2 nftables`
        : 'It does not run as root here.'),
  );
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function succeeds(command: string, ...args: string[]): boolean {
  try {
    run(command, ...args);
    return true;
  } catch {
    return false;
  }
}

function tryRun(command: string, ...args: string[]): void {
  succeeds(command, ...args);
}
