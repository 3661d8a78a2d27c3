import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import { judgeProbes, probeNetwork } from '../../../src/client/control-plane/network-probe.ts';
import { aClosedPort } from '../../support/store/part-server.ts';

describe('the verdict on a network', () => {
  it.each([
    ['all were quick', [3, 5, 4, 3, 3, 4, 5, 3], 'reliable', '8 probes were answered, the slowest in 5 ms'],
    ['all were as slow as a far continent', [280, 300, 290, 900], 'reliable', '4 probes were answered, the slowest in 900 ms'],
    ['one was late', [3, 3, 1_004, 3], 'unreliable', '1 of 4 probes took longer than 900 ms'],
    ['one was lost', [3, Infinity, 3, 3, 3], 'unreliable', '1 of 5 probes got no answer'],
    ['some were late and some lost', [3, Infinity, 1_004, Infinity], 'unreliable', '2 of 4 probes got no answer'],
    ['all were lost', [Infinity, Infinity], 'unreliable', '2 of 2 probes got no answer'],
    ['none was sent', [], 'reliable', '0 probes were answered, the slowest in 0 ms'],
  ])('when %s', (_, times, network, reason) => {
    expect(judgeProbes(times)).toEqual({ network, reason });
  });
});

describe('probing the network', () => {
  /** A control plane on a line that drops the probes that the test says. */
  async function aServerDropping(dropped: (probe: number) => boolean) {
    let probes = 0;
    let together = 0;
    let mostTogether = 0;
    const server = createServer((request, response) => {
      mostTogether = Math.max(mostTogether, ++together);
      request.on('close', () => together--);
      if (dropped(++probes)) request.socket.destroy();
      else response.setHeader('content-type', 'application/json').end('{"ok":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close().closeAllConnections());
    const controlPlane = new ControlPlane({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't' });
    return { controlPlane, probes: () => probes, mostTogether: () => mostTogether };
  }

  it('finds a line reliable that answers every probe, one after another', async () => {
    const { controlPlane, probes, mostTogether } = await aServerDropping(() => false);
    expect(await probeNetwork({ controlPlane })).toMatchObject({ network: 'reliable' });
    expect(probes()).toBe(8);
    expect(mostTogether()).toBe(1);
  });

  it('finds a line unreliable that drops one probe in five', async () => {
    const { controlPlane } = await aServerDropping((probe) => probe % 5 === 0);
    expect(await probeNetwork({ controlPlane })).toEqual({ network: 'unreliable', reason: '1 of 8 probes got no answer' });
  });

  it('finds a line unreliable when nothing answers', async () => {
    const controlPlane = new ControlPlane({ server: `http://127.0.0.1:${await aClosedPort()}`, token: 't' });
    expect(await probeNetwork({ controlPlane, probes: 2 })).toEqual({
      network: 'unreliable',
      reason: '2 of 2 probes got no answer',
    });
  });

  it('ends when its signal aborts', async () => {
    const { controlPlane } = await aServerDropping(() => false);
    const reason = new Error('interrupted');
    await expect(probeNetwork({ controlPlane, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
