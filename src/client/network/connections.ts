import type * as http from 'node:http';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';

/** Connections that are kept open, by origin. */
export interface Connections {
  agentFor(url: string): http.Agent;
  /** Makes the next requests open new connections: after an outage, idle ones may be dead without knowing it. */
  renew(): void;
  close(): void;
}

export function createConnections(makeAgent: MakeAgent = directAgent): Connections {
  let agents = new Map<string, http.Agent>();
  let retired: http.Agent[] = [];
  return {
    agentFor(url) {
      const { origin } = new URL(url);
      let agent = agents.get(origin);
      if (agent === undefined) {
        agent = makeAgent(url, { keepAlive: true });
        agents.set(origin, agent);
      }
      return agent;
    },
    renew() {
      // Requests under way keep their connections, so an agent retires when the last of them is done. A request may still wait for its
      // connection (behind a proxy), which the agent does not count yet: that connection is not kept afterwards.
      for (const agent of agents.values()) agent.maxFreeSockets = 0;
      retired = [...retired, ...agents.values()].filter((agent) => {
        for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
        return Object.keys(agent.sockets).length > 0;
      });
      agents = new Map();
    },
    close() {
      for (const agent of [...retired, ...agents.values()]) agent.destroy();
    },
  };
}
