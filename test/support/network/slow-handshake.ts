import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as net from 'node:net';

const LISTENER = `
  const server = require('node:http').createServer((request, response) => response.end('here'));
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port));
`;
/** More than fit into the queue of a listener with a backlog of 1. */
const FILLERS = 8;

export interface SlowListener {
  readonly port: number;
  /** Makes the listener accept connections. The kernel resends a dropped SYN after a second. */
  wake(): void;
  close(): void;
}

/** Starts an HTTP server on 127.0.0.1 whose connection queue is full, so that the next SYN is dropped. Linux only. */
export async function startSlowListener(): Promise<SlowListener> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const port = Number(line);
  child.kill('SIGSTOP');
  while (!isStopped(child)) await new Promise(setImmediate);
  const fillers = Array.from({ length: FILLERS }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
  // A backlog of 1 makes a queue of 2.
  await Promise.all(fillers.slice(0, 2).map((socket) => once(socket, 'connect')));
  return {
    port,
    wake: () => void child.kill('SIGCONT'),
    close() {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

function isStopped({ pid }: ChildProcess): boolean {
  return /^\d+ \(.*\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
