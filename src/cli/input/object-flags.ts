import type { ArgsDef } from 'citty';
import type { CreateRequest } from '../../contract/wire.ts';
import { DISPOSITIONS, type Disposition, findMetadataFault, findTagsFault } from '../../session/object-attributes.ts';
import type { FlagReader } from './flag-reader.ts';
import { valuesOf } from './strict-args.ts';

/** Not `as const` as a whole: citty wants its options writable. */
const DISPOSITION_FLAG = {
  type: 'enum' as const,
  options: [...DISPOSITIONS],
  description: 'Whether browsers show the object or save it, under its file name',
};
/** What an object is called and carries beside its bytes. */
export const OBJECT_FLAGS = {
  key: { type: 'string', valueHint: 'key', description: 'Object key; the file name if left out' },
  'key-template': {
    type: 'string',
    valueHint: 'template',
    description: 'Object key of each file, with {date}, {sessionId} and {fileName} filled in by the server',
  },
  'content-type': { type: 'string', valueHint: 'type', description: 'Content type; guessed from the extension if left out' },
  disposition: DISPOSITION_FLAG,
  metadata: { type: 'string', valueHint: 'name=value…', description: 'Metadata of the object; may be given several times' },
  tag: { type: 'string', valueHint: 'name=value…', description: 'Tag of the object; may be given up to 10 times' },
} as const;

interface Given {
  readonly key?: string | undefined;
  readonly 'key-template'?: string | undefined;
  readonly disposition?: Disposition | undefined;
}

/** In the wire's words; what was not asked for is left out. */
export type ObjectAttributes = Pick<CreateRequest, 'key' | 'keyTemplate' | 'metadata' | 'tags' | 'contentDisposition'>;

/** `words` are those of the whole command: metadata and tags may stand there several times, and citty keeps the last one only. */
export function readAttributes(
  reader: FlagReader,
  flags: Given,
  words: readonly string[],
  definitions: ArgsDef,
): ObjectAttributes {
  const { key, 'key-template': keyTemplate, disposition: contentDisposition } = flags;
  if (key !== undefined && keyTemplate !== undefined) reader.fault('--key and --key-template contradict each other.');
  const metadata = reader.pairs('metadata', valuesOf(words, definitions, 'metadata'), findMetadataFault);
  const tags = reader.pairs('tag', valuesOf(words, definitions, 'tag'), findTagsFault);
  return {
    ...(key === undefined ? {} : { key }),
    ...(keyTemplate === undefined ? {} : { keyTemplate }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(tags === undefined ? {} : { tags }),
    ...(contentDisposition === undefined ? {} : { contentDisposition }),
  };
}
