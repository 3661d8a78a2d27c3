import type { CreateRequest } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { findKeyFault, UNPRINTABLE } from '../../session/object-key.ts';
import { S3_LIMITS } from '../../session/part-plan.ts';
import type { ByteSource } from '../source/byte-source.ts';

type Naming = Pick<CreateRequest, 'key' | 'keyTemplate'>;

/** Longest key template that the contract takes, in characters. */
const MAX_TEMPLATE_LENGTH = 1_024;

/** Whether the file's name may become part of the key: by the template, or by one that the server has. */
function isNameInKey({ key, keyTemplate }: Naming): boolean {
  return key === undefined && (keyTemplate === undefined || keyTemplate.includes('{fileName}'));
}

/** The file name to send. A name that is not part of the key is for people: a control character in it is no reason to refuse the file. */
export function fileNameOf({ name }: ByteSource, naming: Naming): string {
  return isNameInKey(naming) ? name : name.replaceAll(new RegExp(UNPRINTABLE, 'gu'), '\ufffd');
}

/**
 * Refuses files that no object can hold, before a byte is read: the server would refuse them in words about its own fields.
 * @throws UploadError `INVALID_KEY` or `SOURCE_TOO_LARGE`
 */
export function checkNameAndSize({ name, size }: ByteSource, naming: Naming): void {
  if (size > S3_LIMITS.maxObjectSize) {
    const tebibytes = (size / 1024 ** 4).toFixed(1);
    throw new UploadError('SOURCE_TOO_LARGE', `${name} has ${size} bytes (${tebibytes} TiB); an object can have at most 5 TiB.`);
  }
  const { key, keyTemplate = '' } = naming;
  if (keyTemplate.length > MAX_TEMPLATE_LENGTH)
    throw refusal(`The key template has ${keyTemplate.length} characters; at most ${MAX_TEMPLATE_LENGTH} are possible.`);
  if (key !== undefined) {
    const fault = findKeyFault(key);
    if (fault !== undefined) throw refusal(`The object key ${fault}.`);
  } else if (isNameInKey(naming)) {
    const fault = findKeyFault(name);
    if (fault !== undefined)
      throw refusal(`The name of the file, ${JSON.stringify(name)}, cannot be the key of an object: it ${fault}.`);
  }
}

function refusal(detail: string): UploadError {
  return new UploadError('INVALID_KEY', detail, {
    hint: 'Name the object yourself with --key; the file keeps its name.',
  });
}
