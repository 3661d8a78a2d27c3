import * as http from 'node:http';
import * as https from 'node:https';

/** Kept-open connections to the object store, for one upload. */
export interface Connections {
  agentFor(url: string): http.Agent;
  /** After an outage: idle connections may be dead without knowing it, so the next parts open new ones. */
  renew(): void;
  close(): void;
}

export function createConnections(): Connections {
  let agents = new Map<string, http.Agent>();
  const retired: http.Agent[] = [];
  return {
    agentFor(url) {
      const { protocol } = new URL(url);
      let agent = agents.get(protocol);
      if (agent === undefined) {
        agent = protocol === 'https:' ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
        agents.set(protocol, agent);
      }
      return agent;
    },
    renew() {
      // Parts under way keep theirs; a retired agent closes when it is done.
      retired.push(...agents.values());
      agents = new Map();
    },
    close() {
      for (const agent of [...retired, ...agents.values()]) agent.destroy();
    },
  };
}
