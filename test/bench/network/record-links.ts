import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createTestbed, type Testbed } from './testbed.ts';

const MEGABITS = 80;
const LOSSES = [0, 0.01, 0.03, 0.1];
const CONNECTIONS = [1, 2, 4, 8, 16];
const SAMPLE_MS = 500;
const SAMPLES = 20;
/** Left out of the recording, because connections start slowly and do not end together. */
const WARM_UP_SAMPLES = 4;
const PORT = 9_000;
const PROFILES = fileURLToPath(new URL('../../client/link-profiles.json', import.meta.url));

/** Counts the bytes that arrive, and prints the count each half second. */
const SINK = `
  let bytes = 0;
  require('node:net').createServer((socket) => socket.on('error', () => {}).on('data', (data) => { bytes += data.length; }))
    .listen(${PORT}, '0.0.0.0', () => console.log('ready'));
  setInterval(() => { console.log(bytes); bytes = 0; }, ${SAMPLE_MS});`;

/** Sends over the given number of connections until it is killed. */
const SOURCE = `
  const [address, connections] = process.argv.slice(1);
  const piece = Buffer.alloc(65536);
  for (let i = 0; i < Number(connections); i++) {
    const socket = require('node:net').connect(${PORT}, address);
    const send = () => { while (socket.write(piece)); };
    socket.on('connect', send).on('drain', send);
  }`;

/**
 * node test/bench/run.js network/record-links
 * Records what links carry with different numbers of connections, in bytes per half second, for the tests of the controller of parts in
 * flight. Has the same requirements as bench:network.
 */
export async function run(): Promise<void> {
  const bed = createTestbed(MEGABITS);
  try {
    const links: Record<string, Record<string, number[]>> = {};
    for (const loss of LOSSES) {
      bed.setLoss(loss);
      const name = `${MEGABITS} Mbit/s, ${loss * 100} % loss`;
      links[name] = {};
      for (const connections of CONNECTIONS) {
        links[name][connections] = await record(bed, connections);
        console.log(name, connections, links[name][connections]?.join(' '));
      }
    }
    writeFileSync(PROFILES, `${JSON.stringify({ sampleMs: SAMPLE_MS, links })}\n`);
  } finally {
    bed.remove();
  }
}

async function record(bed: Testbed, connections: number): Promise<number[]> {
  const sink = bed.spawn('server', process.execPath, ['-e', SINK], { keepOutput: true });
  let lines: number[] = [];
  await new Promise<void>((ready) => {
    sink.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (text.startsWith('ready')) ready();
      else lines.push(...text.trim().split('\n').map(Number));
    });
  });
  const source = bed.spawn('client', process.execPath, ['-e', SOURCE, bed.serverAddress, String(connections)]);
  lines = [];
  while (lines.length < WARM_UP_SAMPLES + SAMPLES) await wait(SAMPLE_MS);
  for (const child of [source, sink]) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  return lines.slice(WARM_UP_SAMPLES, WARM_UP_SAMPLES + SAMPLES);
}
