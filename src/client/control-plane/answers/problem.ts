import type * as wire from '../../../contract/wire.ts';
import { optional, type Read, text } from './read.ts';

const MAX_WORDS = 4_000;
const words = text(MAX_WORDS);

/**
 * Reads the words of a problem document. Its other fields are facts, which the code that uses them checks. The caller judges a code
 * that is not ours: gateways speak problem+json, too.
 */
export const problem: Read<wire.ProblemDocument> = (value, field) => {
  const given = value as wire.ProblemDocument;
  const { detail, hint, type } = given;
  // Other programs leave the type out.
  optional(text(MAX_WORDS))(type, `${field}type`);
  if (given.code !== undefined) words(detail, `${field}detail`);
  optional(words)(hint, `${field}hint`);
  return given;
};
