import { isDeepStrictEqual } from 'node:util';
import type { CreateRequest } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import type { UploadSession } from '../../session/session.ts';
import type { ObjectAttributes } from '../../session-store/port/sessions.ts';
import { contentDispositionHeader } from './content-disposition.ts';

/**
 * Returns the attributes of a create request that the session of its file does not have; empty where nothing differs. A field that is left
 * out asks for nothing, and neither does a content type that the client only guessed.
 */
export function differingAttributes(session: UploadSession, request: CreateRequest): Partial<ObjectAttributes> {
  const { tags, metadata, contentDisposition: disposition } = request;
  const contentType = request.contentTypeGuessed === true ? undefined : request.contentType;
  // With the file name of the session, because no flag asks for another name of the same file.
  const contentDisposition = disposition && contentDispositionHeader(disposition, session.fileName);
  return {
    ...(tags !== undefined && !isDeepStrictEqual(tags, { ...session.tags }) && { tags }),
    ...(metadata !== undefined && !isSameMetadata(metadata, session.metadata) && { metadata }),
    ...(contentType !== undefined && contentType.toLowerCase() !== session.contentType?.toLowerCase() && { contentType }),
    ...(contentDisposition !== undefined && contentDisposition !== session.contentDisposition && { contentDisposition }),
  };
}

/** Compares names as object stores do: in lower case. */
function isSameMetadata(asked: Readonly<Record<string, string>>, stored: Readonly<Record<string, string>>): boolean {
  const lower = (metadata: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]));
  return isDeepStrictEqual(lower(asked), lower(stored));
}

const WORDS: Readonly<Record<keyof ObjectAttributes, { readonly name: string; readonly flag: string }>> = {
  tags: { name: 'tags', flag: '--tag' },
  metadata: { name: 'metadata', flag: '--metadata' },
  contentType: { name: 'content type', flag: '--content-type' },
  contentDisposition: { name: 'disposition', flag: '--disposition' },
};

/** Explains that the session's upload or object cannot get the attributes any more, and what can be done. */
export function attributesDiffer(session: UploadSession, asked: Partial<ObjectAttributes>): UploadError {
  const names = Object.keys(asked) as (keyof ObjectAttributes)[];
  const differences = names.map((attribute) => ({ attribute, stored: session[attribute], asked: asked[attribute] }));
  const described = differences.map(
    ({ attribute, ...values }) => `${WORDS[attribute].name} ${show(values.stored)}, not ${show(values.asked)}`,
  );
  const { sessionId, status } = session;
  const flags = names.map((name) => WORDS[name].flag).join(', ');
  const isCompleted = status === 'completed';
  return new UploadError(
    'SESSION_ATTRIBUTES_DIFFER',
    `This file ${isCompleted ? 'was uploaded already' : 'is partly stored already'} (session ${sessionId}), with ${described.join('; with ')}.`,
    {
      hint: isCompleted
        ? `Leave out ${flags} to keep the object as it is, upload under another --key, or upload the file again and replace the object: --overwrite.`
        : `Leave out ${flags} to continue it, upload under another --key, or discard what is stored and begin again: partway abort ${sessionId}`,
      facts: { sessionId, sessionStatus: status, differences },
    },
  );
}

const MOST_CHARACTERS = 200;

/** Shows a value as JSON, which escapes control characters. */
function show(value: unknown): string {
  if (value === null) return 'none';
  const text = JSON.stringify(value);
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`;
}
