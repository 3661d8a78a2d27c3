import type { PutWatch, SeenRequest } from '../support/proxies/fault-proxy.ts';

/** By this header of its PUTs the ledger knows a client; presigned URLs do not sign it. */
export const CLIENT_HEADER = 'x-model-client';
export const SEND_HEADER = 'x-model-send';

interface Question {
  readonly client: string;
  /** What the store held when the client asked, as far as the answer is the client's business. */
  readonly held: Set<string>;
}

interface Attempt {
  readonly put: SeenRequest;
  isOver: boolean;
  isStored: boolean;
}

interface Report {
  readonly client: string;
  readonly sent: number;
  readonly answered: number;
}

/**
 * Keeps book, beside everything that is tested, of which parts the store holds and which client knows it. A client knows of
 * a part when it asked the control plane for the list while the store held it, or sent it by itself: from then on, a PUT of
 * that part to the same multipart upload is a part that was sent again though it was stored.
 */
export class Ledger implements PutWatch {
  /** What went against the guarantees, in words. */
  readonly violations: string[] = [];
  /** How often the store lost parts. */
  losses = 0;
  puts = 0;
  /** Requests at the proxy that have not come to their end. */
  underWay = 0;
  readonly #held = new Set<string>();
  readonly #known = new Map<string, Set<string>>();
  readonly #questions = new Set<Question>();
  readonly #reports: Report[] = [];
  readonly #firstReportSent = new Map<string, number>();
  /** Of each PUT, the parts that its client knew to be stored. */
  readonly #sends: Set<string>[] = [];
  /** Clients that have heard what is stored. */
  readonly #hasList = new Set<string>();
  readonly #replaced = new Set<string>();
  /** Of each client, the parts that the store took from it. */
  readonly #sent = new Map<string, Set<string>>();
  /** PUTs that began before the store lost something: whether it has their parts is not known. */
  readonly #overtaken = new Set<SeenRequest>();
  /** By client and part number. */
  readonly #latest = new Map<string, Attempt>();
  readonly #onPut: (moment: 'put began' | 'put stored') => void;
  #time = 0;

  constructor(onPut: (moment: 'put began' | 'put stored') => void) {
    this.#onPut = onPut;
  }

  // What the proxy before the store sees.

  began(put: SeenRequest): void {
    this.puts += 1;
    this.underWay += 1;
    const client = clientOf(put);
    // What it knew when it sent this: on slow links that is a while ago.
    if (this.#sends[Number(put.headers[SEND_HEADER])]?.has(partOf(put))) {
      this.violations.push(`client ${client} sent part ${put.partNumber} again, which it knew to be stored`);
    }
    this.#latest.set(`${client} ${put.partNumber}`, { put, isOver: false, isStored: false });
    this.#onPut('put began');
  }

  answered(put: SeenRequest, status: number): void {
    if (status !== 200 || this.#overtaken.has(put)) return;
    const client = clientOf(put);
    this.#held.add(partOf(put));
    this.#sentBy(client).add(partOf(put));
    const latest = this.#latest.get(`${client} ${put.partNumber}`);
    // Without asking, no client can know of a part that arrives after its client gave it up.
    if (latest?.put === put && !latest.isOver) latest.isStored = true;
    this.#onPut('put stored');
  }

  ended(): void {
    this.underWay -= 1;
  }

  // What the store does.

  /** The store lost a part of that upload, or all of them: no client is blamed for sending them again. */
  lost(uploadId: string, partNumber?: number): void {
    this.losses += 1;
    // Of what is on its way, the store may have taken the part before it lost it.
    for (const { put } of this.#latest.values()) this.#overtaken.add(put);
    const isLost = (part: string) =>
      partNumber === undefined ? part.startsWith(`${uploadId} `) : part === `${uploadId} ${partNumber}`;
    const sets = [this.#held, ...this.#known.values(), ...[...this.#questions].map(({ held }) => held)];
    for (const parts of sets) for (const part of parts) if (isLost(part)) parts.delete(part);
  }

  // What a client hears.

  /**
   * Its attempt at a part is over, well or badly. If the store has the part by then, it must not be sent again: a client that
   * heard no answer asks first.
   */
  attemptOver(client: string, partNumber: number): void {
    const latest = this.#latest.get(`${client} ${partNumber}`);
    if (latest === undefined || latest.isOver) return;
    latest.isOver = true;
    const part = partOf(latest.put);
    if (!latest.isStored || !this.#held.has(part)) return;
    this.#knownTo(client).add(part);
    for (const question of this.#questions) if (question.client === client) question.held.add(part);
  }

  /** The client makes a PUT. The result names it, in a header of its own. */
  sends(client: string): string {
    return String(this.#sends.push(new Set(this.#knownTo(client))) - 1);
  }

  /** The client asks what is stored; `heard` when the answer is there. */
  asks(client: string): { heard(): void; failed(): void } {
    const own = new Set([...this.#sentBy(client), ...(this.#known.get(client) ?? [])]);
    // Its first list tells it what is there. Later ones are asked for the sake of its own parts: what another client sends
    // meanwhile is the race of two clients, which ends when the older one hears that it was replaced.
    const held = [...this.#held].filter((part) => !this.#hasList.has(client) || own.has(part));
    const question: Question = { client, held: new Set(held) };
    this.#questions.add(question);
    return {
      heard: () => {
        this.#questions.delete(question);
        this.#hasList.add(client);
        this.#known.set(client, question.held);
      },
      failed: () => {
        this.#questions.delete(question);
      },
    };
  }

  /** The client reports; `accepted` or `refused` when the answer is there. The newest client wins, and stays the winner. */
  reports(client: string): { accepted(): void; refused(): void } {
    const sent = ++this.#time;
    if (!this.#firstReportSent.has(client)) this.#firstReportSent.set(client, sent);
    return {
      accepted: () => {
        const newer = this.#reports.find((other) => other.answered < sent && this.#tookOver(other.client, client, other.sent));
        if (newer) this.violations.push(`client ${client} could report though ${newer.client} had taken over`);
        this.#reports.push({ client, sent, answered: ++this.#time });
      },
      refused: () => {
        // What it had begun by then, it may go through with.
        setImmediate(() => this.#replaced.add(client));
      },
    };
  }

  /** Whether `newer` said its first word after `older` had been accepted, so that no observer can have seen them the other way round. */
  #tookOver(newer: string, older: string, before: number): boolean {
    if (newer === older) return false;
    const first = this.#firstReportSent.get(newer) ?? 0;
    return first <= before && this.#reports.some(({ client, answered }) => client === older && answered < first);
  }

  /** The client asks for something that only a client asks for which uploads. */
  works(client: string): void {
    if (this.#replaced.has(client))
      this.violations.push(`client ${client} went on though it was told that another one took over`);
  }

  #knownTo(client: string): Set<string> {
    return setOf(this.#known, client);
  }

  #sentBy(client: string): Set<string> {
    return setOf(this.#sent, client);
  }
}

function clientOf({ headers }: SeenRequest): string {
  return String(headers[CLIENT_HEADER]);
}

function partOf({ uploadId, partNumber }: SeenRequest): string {
  return `${uploadId} ${partNumber}`;
}

function setOf(sets: Map<string, Set<string>>, name: string): Set<string> {
  const set = sets.get(name) ?? new Set();
  sets.set(name, set);
  return set;
}
