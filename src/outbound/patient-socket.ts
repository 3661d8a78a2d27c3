import * as net from 'node:net';
import { ADDRESS_ATTEMPT_MS } from './direct-agent.ts';

/** A socket for libraries that call `connect(port, host)` themselves, and so cannot set the time limit for one address of a name. */
export class PatientSocket extends net.Socket {
  override connect(...where: unknown[]): this {
    const [port, host, ...rest] = where;
    // Other calls have the path of a Unix socket, or options with their own limit.
    if (typeof port !== 'number' || typeof host !== 'string') return Reflect.apply(super.connect, this, where) as this;
    const options = { port, host, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS };
    return Reflect.apply(super.connect, this, [options, ...rest]) as this;
  }
}
