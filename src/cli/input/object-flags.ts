import type { ArgsDef } from 'citty';
import type { CreateRequest } from '../../contract/wire.ts';
import { DISPOSITIONS, type Disposition, findMetadataFault, findTagsFault } from '../../session/object-attributes.ts';
import type { FlagReader } from './flag-reader.ts';
import { valuesOf } from './strict-args.ts';

/** Not `as const` as a whole, because citty requires writable options. */
const DISPOSITION_FLAG = {
  type: 'enum' as const,
  options: [...DISPOSITIONS],
  description: 'Whether browsers show the object or save it, under its file name',
};
/** Flags for an object's key, and for what it carries beside its bytes. */
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

/** Attributes with the names of the wire; those that were not asked for are absent. */
export type ObjectAttributes = Pick<CreateRequest, 'key' | 'keyTemplate' | 'metadata' | 'tags' | 'contentDisposition'>;

/** Takes all `words` of the command, because metadata and tags may be repeated and citty keeps only the last one. */
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
