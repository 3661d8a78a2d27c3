import type * as wire from '../../../contract/wire.ts';
import { optional, type Read, text } from './read.ts';

const MAX_WORDS = 4_000;
const words = text(MAX_WORDS);

/**
 * The words of a problem document; its other fields are facts, which each reader of them checks. A code that is not ours is
 * for the caller to judge: gateways speak problem+json, too.
 */
export const problem: Read<wire.ProblemDocument> = (value, field) => {
  const given = value as wire.ProblemDocument;
  const { detail, hint, type } = given;
  // Other programs leave it out.
  optional(text(MAX_WORDS))(type, `${field}type`);
  if (given.code !== undefined) words(detail, `${field}detail`);
  optional(words)(hint, `${field}hint`);
  return given;
};
