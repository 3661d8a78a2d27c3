import { UploadError } from '../../session/errors.ts';

/** Keeps the answer to a body with thousands of faults smaller than that body: it names a few faults, in a few words each. */
const MOST_FAULTS = 20;
const MOST_FAULT_CHARACTERS = 300;

function cut(text: string): string {
  return text.length <= MOST_FAULT_CHARACTERS ? text : `${text.slice(0, MOST_FAULT_CHARACTERS)}…`;
}

/** Makes the problem of a request that its schema refuses. */
export function invalidRequest(issues: readonly { path: PropertyKey[]; message: string }[]): UploadError {
  const errors = issues.slice(0, MOST_FAULTS).map(({ path, message }) => ({ pointer: toPointer(path), message: cut(message) }));
  const first = errors[0];
  return new UploadError('INVALID_REQUEST', `${first?.pointer || 'The request'}: ${first?.message}`, { facts: { errors } });
}

/** Makes a JSON pointer (RFC 6901). */
function toPointer(path: PropertyKey[]): string {
  return cut(path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''));
}
