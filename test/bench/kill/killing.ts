import { setTimeout as wait } from 'node:timers/promises';
import type { Strike, Victim } from './plan.ts';

/** A server that is killed and comes back. */
export interface Mortal {
  /** Undefined if it is not known. */
  readonly pid?: number | undefined;
  /** Says how it ended, with its last output. */
  describeEnd?(): string;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
  /** Rejects if it cannot start now: a control plane without its database, for example. */
  restart(): Promise<void>;
}

/** About as long as a supervisor would wait. */
const NEXT_START_MS = 500;
/** By then everything that it may need is running again. */
const LONGEST_START_MS = 120_000;

/** Kills servers by plan and starts each again after its time. */
export class Killing {
  /** Number of kills, by the servers that were killed together. */
  readonly kills = new Map<string, number>();
  /** Servers that were not killed, because they were down or starting at that moment. */
  spared = 0;
  /** Starts that failed and were tried again. */
  failedStarts = 0;
  readonly violations: string[] = [];
  readonly #servers: ReadonlyMap<Victim, Mortal>;
  readonly #away = new Set<Victim>();

  constructor(servers: ReadonlyMap<Victim, Mortal>) {
    this.#servers = servers;
  }

  /** Resolves when the last server runs again. */
  async carryOut(strikes: readonly Strike[]): Promise<void> {
    const beginning = performance.now();
    const underWay: Promise<void>[] = [];
    for (const strike of strikes) {
      await wait(Math.max(0, beginning + strike.atMs - performance.now()));
      underWay.push(this.#strike(strike));
    }
    await Promise.all(underWay);
    for (const [victim, server] of this.#servers) this.#checkAlive(victim, server);
  }

  async #strike({ victims }: Strike): Promise<void> {
    const struck = victims.filter(({ victim }) => !this.#away.has(victim));
    this.spared += victims.length - struck.length;
    if (struck.length === 0) return;
    const together = struck.map(({ victim }) => victim).sort();
    const name = together.join(' and ');
    this.kills.set(name, (this.kills.get(name) ?? 0) + 1);
    for (const { victim } of struck) this.#away.add(victim);
    await Promise.all(struck.map((one) => this.#killAndRevive(one)));
  }

  async #killAndRevive({ victim, afterMs, downMs }: Strike['victims'][number]): Promise<void> {
    const server = this.#servers.get(victim);
    if (server === undefined) throw new Error(`there is no ${victim} to kill`);
    await wait(afterMs);
    this.#checkAlive(victim, server);
    await server.kill();
    await wait(downMs);
    await this.#revive(victim, server);
    this.#away.delete(victim);
  }

  async #revive(victim: Victim, server: Mortal): Promise<void> {
    const since = performance.now();
    for (;;) {
      try {
        await server.restart();
        return;
      } catch (error) {
        this.failedStarts += 1;
        if (isCrash(error)) this.violations.push(`${victim} crashed at its start. ${error}`);
        if (performance.now() - since > LONGEST_START_MS) throw new Error(`${victim} cannot be started again`, { cause: error });
        await wait(NEXT_START_MS);
      }
    }
  }

  /** Reports a server that ended by itself: only the plan may end one. */
  #checkAlive(victim: Victim, server: Mortal): void {
    const { pid } = server;
    if (pid === undefined || isAlive(pid)) return;
    this.violations.push(`${victim} had ended by itself. ${server.describeEnd?.() ?? ''}`);
  }
}

/** Whether a start ended in a crash: a server that merely cannot start says why in a sentence, without a stack. */
function isCrash(error: unknown): boolean {
  return error instanceof Error && /^[ |]+at \S+ \(?.*:\d+:\d+\)?$/m.test(error.message);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
