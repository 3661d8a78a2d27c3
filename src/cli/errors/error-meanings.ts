import type { ErrorCode, UploadError } from '../../session/errors.ts';

const NOTHING_LOST = 'What is stored stays stored; nothing of it will be sent again.';

export interface ErrorWords {
  /** The consequence for the person who reads it. */
  readonly meaning: string;
  /** The next thing to do, if the error itself has no hint. */
  readonly advice?: string;
  /** Commands to offer; each needs the session id. */
  readonly offer?: readonly Offer[];
}
export type Offer = 'resume' | 'status' | 'verify' | 'abort' | 'overwrite' | 'upload';

/** The second and third part of every error message; the first is the error's own `detail`. */
export const ERROR_WORDS: Readonly<Record<ErrorCode, ErrorWords>> = {
  INVALID_REQUEST: {
    meaning: 'The server did not understand the request; nothing was changed.',
    advice:
      'Check the flags. If they are right, client and server are of different versions: compare `partway --version` on both.',
  },
  INVALID_KEY: {
    meaning: 'The object store could not keep an object of that name; nothing was sent.',
    advice: 'Choose another one with --key.',
  },
  INVALID_PLAN: {
    meaning: 'The file cannot be cut that way; nothing was sent.',
    advice: 'Leave out --part-size and --strategy, or choose a part size from 5MiB to 5GiB that makes at most 10,000 parts.',
  },
  UNAUTHORIZED: {
    meaning: `The server does not accept the token in PARTWAY_TOKEN: it is wrong, or was revoked or expired meanwhile. ${NOTHING_LOST}`,
    advice:
      'Compare it with the one `partway serve` showed, or ask whoever runs the server for a new one, then: export PARTWAY_TOKEN=…',
    offer: ['resume'],
  },
  FORBIDDEN: {
    meaning: 'The token in PARTWAY_TOKEN is valid, but not for this; nothing was changed.',
    advice: 'Ask whoever runs the server for a token with the scope that is missing.',
  },
  KEY_NOT_ALLOWED: {
    meaning: 'The token may write under certain keys only; nothing was sent.',
    advice: 'Choose a key that it may write with --key, or leave --key out.',
  },
  CONTENT_TYPE_NOT_ALLOWED: {
    meaning: 'The token may upload certain kinds of files only; nothing was sent.',
    advice: 'If the file is of such a kind, say so with --content-type.',
  },
  OBJECT_TOO_LARGE: {
    meaning: 'The token may upload files up to a certain size only; nothing was sent.',
    advice: 'Ask whoever runs the server for a token that allows larger files.',
  },
  QUOTA_EXCEEDED: {
    meaning:
      'The token may upload a certain number of bytes in all, and the file does not fit into what is left; nothing was sent.',
    advice: 'Abort unfinished sessions that are no longer needed (`partway list`), or ask whoever runs the server for more.',
  },
  TOO_MANY_SESSIONS: {
    meaning: 'The token may have a certain number of unfinished sessions; nothing was sent.',
    advice: 'Finish or abort one of them; `partway list --status open` shows them.',
  },
  TOO_MANY_CAPABILITIES: {
    meaning: 'The token may have a certain number of capabilities that have not expired; none was made.',
    advice: 'Wait until some expire, and give the next ones a shorter life: partway grant SESSION_ID --expires 2h',
  },
  ROUTE_NOT_FOUND: {
    meaning: 'The server at PARTWAY_SERVER does not know this operation.',
    advice: 'Check PARTWAY_SERVER, and compare `partway --version` on both sides.',
  },
  SESSION_NOT_FOUND: {
    meaning: 'This server has no session with this id, or the session belongs to another token.',
    advice: 'Check the id with `partway list`, and that PARTWAY_SERVER names the server that made it.',
  },
  OBJECT_NOT_FOUND: {
    meaning: 'There is no object: the upload has not completed, or the object was deleted since.',
    offer: ['status', 'resume'],
  },
  OBJECT_EXISTS: {
    meaning: 'The bucket holds another object under this key; it was not touched.',
    advice: 'Choose another name with --key, or replace the object:',
    offer: ['overwrite'],
  },
  KEY_CONFLICT: {
    meaning: 'With both keys in the bucket, the object store would list only one of them; nothing was sent.',
    advice: 'Choose another key with --key.',
  },
  SESSION_NOT_OPEN: {
    meaning: 'A session that has ended takes no more parts, and an object that is complete is never touched.',
    offer: ['status', 'upload'],
  },
  SESSION_BUSY: {
    meaning: `Another request was changing the session just now. ${NOTHING_LOST}`,
    advice: 'Try again in a moment.',
    offer: ['resume'],
  },
  SESSION_PLAN_DIFFERS: {
    meaning: 'The file is already partly stored, cut in another way than the flags ask for. The stored parts were kept.',
    advice: 'Leave out --strategy and --part-size to continue it, or discard what is stored first.',
    offer: ['resume'],
  },
  SESSION_ATTRIBUTES_DIFFER: {
    meaning:
      'An object keeps the tags, metadata, content type and disposition that its upload began with; nothing was sent or changed.',
    advice: 'Leave out the flags that differ, or choose another key with --key.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    meaning: 'Two different uploads used one idempotency key; nothing was created.',
    advice: 'Run the command again.',
  },
  PARTS_MISSING: { meaning: `Not everything is stored yet. ${NOTHING_LOST}`, offer: ['resume'] },
  PARTS_LOST: {
    meaning: 'The object store itself deleted parts, for example by its own expiry of unfinished uploads.',
    advice: 'The session is open again; send the lost parts again:',
    offer: ['resume'],
  },
  CHECKSUM_MISMATCH: {
    meaning: 'What is stored came from other contents than the file has now. No object was made of it.',
    advice: 'Upload the file as it is now after discarding the old parts:',
    offer: ['abort', 'upload'],
  },
  CLIENT_REPLACED: {
    meaning: `Another partway process took over this session, so this one stopped. ${NOTHING_LOST}`,
    advice: 'Let the other one finish; `partway status` shows how far it is. To take over again:',
    offer: ['resume'],
  },
  BODY_TOO_LARGE: { meaning: 'This is a bug in partway.', advice: 'Please report it with the command that you typed.' },
  HEADERS_TOO_LARGE: {
    meaning: 'The server takes no headers of that size.',
    advice: 'Check that PARTWAY_TOKEN holds a token and nothing else.',
  },
  REQUEST_TIMEOUT: { meaning: `The request took too long to arrive. ${NOTHING_LOST}`, advice: 'Later:', offer: ['resume'] },
  RATE_LIMITED: {
    meaning: `The server takes no more requests from here for the moment. ${NOTHING_LOST}`,
    advice: 'In a minute:',
    offer: ['resume'],
  },
  BUCKET_NOT_FOUND: {
    meaning: 'The server works, but the bucket it is configured for is not there; nothing was sent.',
    advice: 'Whoever runs the server must create the bucket or change PARTWAY_S3_BUCKET. To check: partway doctor',
  },
  STORE_REFUSED: {
    meaning:
      "The object store does not allow what the server asked of it; the server's key lacks a right, or the store lacks a feature.",
    advice: "The server's log has the store's answer. To check: partway doctor",
  },
  STORE_FULL: {
    meaning: `The object store has no space left. ${NOTHING_LOST}`,
    advice: 'Free space at the store (MinIO gives it back within 5 minutes), then:',
    offer: ['resume', 'abort'],
  },
  STORE_OPEN_TO_FORGERY: {
    meaning:
      'The object store takes writes that nothing signed, so any object there may be forged; no upload begins there, and nothing was sent.',
    advice: 'The administrator of the server must close the hole: docs/minio-policy.md says how. To check: partway doctor',
  },
  STOPPING: {
    meaning: `The server is about to stop. ${NOTHING_LOST}`,
    advice: 'Run the command again in a moment.',
  },
  STORE_UNAVAILABLE: {
    meaning: `The object store, or the server's database, cannot serve for the moment. ${NOTHING_LOST}`,
    advice: 'Later:',
    offer: ['resume'],
  },
  INTERNAL: {
    meaning: 'This is a bug in the server, or its database is damaged.',
    advice: "The server's log has the details under the request id.",
    offer: ['resume'],
  },
  SERVER_UNREACHABLE: {
    meaning: NOTHING_LOST,
    advice: 'Check that PARTWAY_SERVER names the server and that `partway serve` runs there.',
    offer: ['resume'],
  },
  CERTIFICATE_NOT_TRUSTED: {
    meaning: `Another machine could pretend to be it, so nothing was sent there. ${NOTHING_LOST}`,
    advice: 'Ask whoever runs the server for the certificate of its authority, then: export NODE_EXTRA_CA_CERTS=/path/to/ca.pem',
  },
  PROXY_NOT_USABLE: {
    meaning: `A variable of the environment asks for that proxy. ${NOTHING_LOST}`,
    advice: 'Name the host in NO_PROXY, or set HTTPS_PROXY (HTTP_PROXY for http://) to an HTTP proxy.',
    offer: ['resume'],
  },
  INVALID_ANSWER: {
    meaning: `Nothing of this answer was used. Either the server is damaged or of another version, or something on the way changes what it says. ${NOTHING_LOST}`,
    advice: 'Compare `partway --version` on both, and check that PARTWAY_SERVER names your own server.',
  },
  SOURCE_NOT_FOUND: {
    meaning: 'Without the file nothing can be sent; what is stored of it stays stored.',
    advice: 'Check the path.',
  },
  SOURCE_UNREADABLE: {
    meaning: 'Without its bytes nothing can be sent; what is stored of it stays stored.',
    advice: 'Check that it is a file and that you may read it.',
  },
  SOURCE_TOO_LARGE: {
    meaning: 'That is the limit of S3, and of every store that speaks it; nothing was sent.',
    advice: 'Upload it in pieces: split -b 4T FILE FILE.part-',
  },
  SOURCE_CHANGED: {
    meaning: 'Mixing old and new contents would corrupt the object, so nothing more was sent. The old parts are still stored.',
    advice:
      'With the file as it was, resume. To upload it as it is now instead, discard the old parts first, which cannot be undone:',
    offer: ['resume', 'abort', 'upload'],
  },
  PART_REFUSED: {
    meaning: `A part was definitely refused; sending it again would not help. ${NOTHING_LOST}`,
    advice: 'To find out why: partway doctor',
    offer: ['resume'],
  },
  PART_FAILED: {
    meaning: `A part failed again and again over a working link. ${NOTHING_LOST}`,
    advice: 'Later:',
    offer: ['resume'],
  },
  STORE_UNSUITABLE: {
    meaning:
      'partway says that an upload is complete only when the checksums of the store prove it, and this store does not show them. Sending again would not help.',
    advice:
      'Whoever runs the server: partway doctor shows what is missing; docs/scale.md ("Another store") says which stores suit.',
  },
  OUTAGE_TOO_LONG: {
    meaning: `Nothing got through for longer than --max-outage allows. ${NOTHING_LOST}`,
    advice: 'When the way to the server and to the object store works again:',
    offer: ['resume'],
  },
  VERIFY_MISMATCH: {
    meaning: 'The object in the bucket is not this file as it is now: one of the two changed, or another object took its place.',
    offer: ['status'],
  },
  RESULT_MISMATCH: {
    meaning:
      'What the server says is not about what this computer asked for, read and sent, so nothing of it is called verified. The file was not touched.',
    advice: 'Keep the file. To compare it with the object itself:',
    offer: ['verify', 'status'],
  },
  CLIENT_NOT_FOUND: {
    meaning: 'Pause, continue and limit speak to the process that sends the file, on the machine and by the user that run it.',
    advice: 'To send what is missing from here:',
    offer: ['resume', 'status'],
  },
  TOKEN_NAME_IN_USE: {
    meaning: 'Sessions belong to the name of a token, and another valid token of the same name goes on with them.',
    advice: 'Leave out --abort to keep the sessions, or revoke all tokens of the name.',
  },
  TOKEN_NAME_TAKEN: {
    meaning: 'Sessions belong to the name of their token: two people with one name could reach into the sessions of each other.',
    advice: 'Choose another name, or say --rotate.',
  },
  TOKEN_NOT_FOUND: { meaning: 'Nothing was revoked.', advice: 'partway token list shows all tokens.' },
  EVENT_NOT_FOUND: {
    meaning: 'Nothing is sent again. Events are deleted some days after they were delivered.',
    advice: 'partway events list shows the events that exist.',
  },
  INTERRUPTED: { meaning: NOTHING_LOST, offer: ['resume', 'abort'] },
};

/** If no stored byte is known to differ from the file, the advice must not be to discard anything. */
const ONLY_TIMES_CHANGE: ErrorWords = {
  meaning: `A program keeps changing the file or its times, so it could not be compared, and nothing was completed. ${NOTHING_LOST}`,
  advice: 'Wait until no program writes to the file, then:',
  offer: ['resume'],
};

export function wordsFor({ code, facts }: UploadError): ErrorWords {
  return code === 'SOURCE_CHANGED' && facts.bytesDiffer === false ? ONLY_TIMES_CHANGE : ERROR_WORDS[code];
}
