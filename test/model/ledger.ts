import type { PutWatch, SeenRequest } from '../support/proxies/fault-proxy.ts';

/** The header of PUTs that names the client to the ledger; presigned URLs do not sign it. */
export const CLIENT_HEADER = 'x-model-client';
export const SEND_HEADER = 'x-model-send';

interface Question {
  readonly client: string;
  /** The parts that the store held when the client asked, as far as the client must respect the answer. */
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
 * Records, independently of the code under test, which parts the store holds and which client knows that. A client knows of a part if it
 * sent the part itself, or asked the control plane for the list while the store held the part. From then on, if the client puts that part
 * into the same multipart upload, it sends a stored part again.
 */
export class Ledger implements PutWatch {
  /** Descriptions of violated guarantees. */
  readonly violations: string[] = [];
  /** The number of times that the store lost parts. */
  losses = 0;
  puts = 0;
  /** The number of PUTs at the proxy that have not ended. */
  underWay = 0;
  readonly #held = new Set<string>();
  readonly #known = new Map<string, Set<string>>();
  readonly #questions = new Set<Question>();
  readonly #reports: Report[] = [];
  readonly #firstReportSent = new Map<string, number>();
  /** The parts that the client knew to be stored when it made each PUT. */
  readonly #sends: Set<string>[] = [];
  /** Clients that have received a list of the stored parts. */
  readonly #hasList = new Set<string>();
  readonly #replaced = new Set<string>();
  /** The parts that the store accepted, by client. */
  readonly #sent = new Map<string, Set<string>>();
  /** PUTs that began before the store lost something. It is unknown whether the store has their parts. */
  readonly #overtaken = new Set<SeenRequest>();
  /** The latest attempt, by client and part number. */
  readonly #latest = new Map<string, Attempt>();
  readonly #onPut: (moment: 'put began' | 'put stored') => void;
  #time = 0;

  constructor(onPut: (moment: 'put began' | 'put stored') => void) {
    this.#onPut = onPut;
  }

  // Notifications by the proxy in front of the store.

  began(put: SeenRequest): void {
    this.puts += 1;
    this.underWay += 1;
    const client = clientOf(put);
    // The knowledge of the client when it sent this PUT, which is a while ago on slow links.
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
    // A client that has given up a PUT cannot know, without asking, that the part still arrived.
    if (latest?.put === put && !latest.isOver) latest.isStored = true;
    this.#onPut('put stored');
  }

  ended(): void {
    this.underWay -= 1;
  }

  // Notifications about the store.

  /** The store lost a part of that upload, or all of them: no client is blamed for sending them again. */
  lost(uploadId: string, partNumber?: number): void {
    this.losses += 1;
    // The store may have accepted the part of a PUT in progress before it lost the part.
    for (const { put } of this.#latest.values()) this.#overtaken.add(put);
    const isLost = (part: string) =>
      partNumber === undefined ? part.startsWith(`${uploadId} `) : part === `${uploadId} ${partNumber}`;
    const sets = [this.#held, ...this.#known.values(), ...[...this.#questions].map(({ held }) => held)];
    for (const parts of sets) for (const part of parts) if (isLost(part)) parts.delete(part);
  }

  // Notifications about a client.

  /**
   * The client's attempt at a part has ended, with success or not. If the store has the part by then, the client must not send it again:
   * without an answer, it asks first.
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

  /** The client makes a PUT. Returns an id for it, which the client sends in a separate header. */
  sends(client: string): string {
    return String(this.#sends.push(new Set(this.#knownTo(client))) - 1);
  }

  /** The client asks which parts are stored. Its caller calls `heard` once the answer has arrived. */
  asks(client: string): { heard(): void; failed(): void } {
    const own = new Set([...this.#sentBy(client), ...(this.#known.get(client) ?? [])]);
    // The first list shows a client all stored parts. It asks for later lists because of its own parts: parts that another client sends
    // meanwhile are a race of two clients, which ends when the older one learns that it was replaced.
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

  /** The client reports. Its caller calls `accepted` or `refused` once the answer has arrived. The newest client wins, for good. */
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
        // The client may finish what it had begun by then.
        setImmediate(() => this.#replaced.add(client));
      },
    };
  }

  /** Whether `newer` sent its first report after one of `older` was accepted, so that every observer has seen them in this order. */
  #tookOver(newer: string, older: string, before: number): boolean {
    if (newer === older) return false;
    const first = this.#firstReportSent.get(newer) ?? 0;
    return first <= before && this.#reports.some(({ client, answered }) => client === older && answered < first);
  }

  /** The client makes a request that only an uploading client makes. */
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
