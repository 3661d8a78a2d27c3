import { ControlPlane } from '../../src/client/control-plane/control-plane.ts';
import type { EngineEvent, UploadResult } from '../../src/client/progress/events.ts';
import type { ByteSource } from '../../src/client/source/byte-source.ts';
import { openUpload } from '../../src/client/transfer/open-upload.ts';
import { runUpload } from '../../src/client/transfer/upload.ts';
import type {
  CompleteRequest,
  PartsResponse,
  PresignRequest,
  PresignResponse,
  Progress,
  ReportRequest,
  Session,
} from '../../src/contract/wire.ts';
import { type ErrorCode, isUploadError } from '../../src/session/errors.ts';
import type { OpenFile } from './changing-file.ts';
import { CLIENT_HEADER, type Ledger, SEND_HEADER } from './ledger.ts';
import { TOKEN } from './model-server.ts';

export type Outcome =
  | { readonly kind: 'completed'; readonly result: UploadResult }
  | { readonly kind: 'gave up'; readonly code: ErrorCode }
  /** The client ended before it had a session. */
  | { readonly kind: 'not started' };

export interface ClientOptions {
  readonly name: string;
  readonly server: string;
  readonly ledger: Ledger;
  readonly file: OpenFile;
  /** The source by which a session is found. The file changes only after that; otherwise it would be another upload. */
  readonly original: ByteSource;
  /** The session to resume; if undefined, the session of the file is found or created. */
  readonly sessionId: string | undefined;
  /** The client gives up a socket that accepts nothing for this long. */
  readonly stallMs: number;
  readonly knownChecksums: ReadonlyMap<number, string> | undefined;
}

/** The engine tries to find a session once; its caller tries again. */
const TRIES_TO_OPEN = 6;

/** A client process: the real engine, with a control plane client that informs the ledger. */
export class ModelClient {
  readonly name: string;
  readonly file: OpenFile;
  readonly outcome: Promise<Outcome>;
  /** Resolves when there is any outcome. */
  readonly over: Promise<void>;
  /** The session that the client works on; undefined if it got none. */
  readonly found: Promise<string | undefined>;
  /** Checksums of the parts that this client read from its file, as a journal would hold them. */
  readonly checksums = new Map<number, string>();
  isOver = false;
  /** The details of the error with which it gave up, for a reader. */
  lastWords = '';
  readonly #options: ClientOptions;
  readonly #controlPlane: WatchedControlPlane;
  readonly #kill = new AbortController();
  readonly #opening: Promise<Session | undefined>;
  #shownBytes = 0;
  #healed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.name = options.name;
    this.file = options.file;
    this.#controlPlane = new WatchedControlPlane(options, this.#kill.signal);
    this.#opening = this.#open();
    this.found = this.#opening.then(
      (session) => session?.sessionId,
      () => undefined,
    );
    this.outcome = this.#run().finally(() => {
      this.isOver = true;
      return options.file.close();
    });
    this.over = this.outcome.then(
      () => {},
      () => {},
    );
  }

  static abort(server: string, sessionId: string): Promise<Session> {
    return new ControlPlane({ server, token: TOKEN }).abort(sessionId);
  }

  get isKilled(): boolean {
    return this.#kill.signal.aborted;
  }

  /** Ends at once: the client drains nothing and sends nothing more. */
  kill(): void {
    this.#kill.abort(new Error('killed'));
  }

  async #run(): Promise<Outcome> {
    try {
      const session = await this.#opening;
      if (session === undefined) return { kind: 'not started' };
      const result = await runUpload({
        controlPlane: this.#controlPlane,
        session,
        source: this.file,
        stallMs: this.#options.stallMs,
        knownChecksums: this.#options.knownChecksums,
        signal: this.#kill.signal,
        drainMs: 0,
        onEvent: (event) => this.#see(event),
      });
      return { kind: 'completed', result };
    } catch (error) {
      if (this.isKilled) return { kind: 'gave up', code: 'INTERRUPTED' };
      if (!isUploadError(error)) throw error;
      this.lastWords = `${error.detail} ${JSON.stringify(error.facts)}`;
      return { kind: 'gave up', code: error.code };
    }
  }

  async #open(): Promise<Session | undefined> {
    const { sessionId, original } = this.#options;
    for (let tries = 0; tries < TRIES_TO_OPEN && !this.isKilled; tries++) {
      try {
        if (sessionId !== undefined) return await this.#controlPlane.get(sessionId);
        return (await openUpload({ controlPlane: this.#controlPlane, source: original })).session;
      } catch (error) {
        if (!isUploadError(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    return undefined;
  }

  #see(event: EngineEvent): void {
    const { ledger, name } = this.#options;
    if (event.type === 'healed') this.#healed = true;
    if (event.type === 'part') this.checksums.set(event.partNumber, event.checksum);
    if (event.type === 'part' || event.type === 'retry') ledger.attemptOver(name, event.partNumber);
    if (event.type !== 'progress') return;
    const { storedBytes, inFlightBytes, size, partsStored, partCount } = event;
    if (storedBytes < this.#shownBytes && !this.#healed) {
      ledger.violations.push(`client ${name} showed ${this.#shownBytes} stored bytes and then ${storedBytes}`);
    }
    if (storedBytes + inFlightBytes > size || partsStored > partCount) {
      ledger.violations.push(`client ${name} showed more than there is: ${JSON.stringify(event)}`);
    }
    this.#shownBytes = storedBytes;
    this.#healed = false;
  }
}

/** The real control plane client, which also informs the ledger of requests and answers. */
class WatchedControlPlane extends ControlPlane {
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #killed: AbortSignal;

  constructor({ name, server, ledger }: ClientOptions, killed: AbortSignal) {
    super({ server, token: TOKEN });
    this.#name = name;
    this.#ledger = ledger;
    this.#killed = killed;
  }

  override async parts(sessionId: string, signal?: AbortSignal): Promise<PartsResponse> {
    this.#ledger.works(this.#name);
    const listing = this.#ledger.asks(this.#name);
    try {
      const answer = await super.parts(sessionId, signal);
      listing.heard();
      return answer;
    } catch (error) {
      listing.failed();
      throw error;
    }
  }

  override async presign(sessionId: string, request: PresignRequest, signal?: AbortSignal): Promise<PresignResponse> {
    this.#ledger.works(this.#name);
    const { parts } = await super.presign(sessionId, request, signal);
    const [name, ledger] = [this.#name, this.#ledger];
    return {
      parts: parts.map((part) => ({
        ...part,
        headers: {
          ...part.headers,
          [CLIENT_HEADER]: name,
          // A getter, because the header is read when each request is made.
          get [SEND_HEADER]() {
            return ledger.sends(name);
          },
        },
      })),
    };
  }

  override complete(sessionId: string, request: CompleteRequest, signal?: AbortSignal): Promise<Session> {
    this.#ledger.works(this.#name);
    return super.complete(sessionId, request, signal);
  }

  override async report(sessionId: string, report: ReportRequest, signal?: AbortSignal): Promise<Progress> {
    // The engine sends its last report even if it is interrupted; a killed client does not.
    this.#killed.throwIfAborted();
    const sent = this.#ledger.reports(this.#name);
    try {
      const answer = await super.report(sessionId, report, signal && AbortSignal.any([signal, this.#killed]));
      sent.accepted();
      return answer;
    } catch (error) {
      if (isUploadError(error, 'CLIENT_REPLACED')) sent.refused();
      throw error;
    }
  }
}
