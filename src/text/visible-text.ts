/**
 * Control and format characters (including bidirectional overrides), line separators, halves of surrogate pairs, and letters and marks
 * without a shape. They change the text around them, or cannot be seen.
 */
const INVISIBLE = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]`;
/** Scripts in which joiners decide the shape of letters; many Persian and Hindi names contain them. */
const JOINING = [
  'Arabic',
  'Syriac',
  'Devanagari',
  'Bengali',
  'Gujarati',
  'Gurmukhi',
  'Kannada',
  'Malayalam',
  'Oriya',
  'Sinhala',
  'Tamil',
  'Telugu',
]
  .map((script) => String.raw`\p{Script=${script}}`)
  .join('');
/** Uses of these characters that people can read: in emoji, in variants of Han characters, and between joining letters. */
const READABLE = [
  String.raw`\p{RGI_Emoji}`,
  String.raw`(?<=\p{Script=Han})[\u{e0100}-\u{e01ef}]`,
  String.raw`(?<=[${JOINING}])[\u200c\u200d](?=[${JOINING}])`,
].join('|');

const HAS_INVISIBLE = new RegExp(INVISIBLE, 'v');
const INVISIBLE_OR_READABLE = new RegExp(`${READABLE}|(?<invisible>${INVISIBLE})`, 'gv');

/**
 * Writes as `\uXXXX` the characters that a terminal or a viewer would act on instead of showing, so that no name can colour, move, hide
 * or reorder the text around it. Letters of every script, combining marks and emoji stay. JSON keeps its meaning.
 */
export function escapeInvisible(text: string): string {
  if (!HAS_INVISIBLE.test(text)) return text;
  return text.replaceAll(INVISIBLE_OR_READABLE, (found, invisible: string | undefined) =>
    invisible === undefined
      ? found
      : Array.from({ length: found.length }, (_, index) => escapeUnit(found.charCodeAt(index))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
