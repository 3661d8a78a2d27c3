/**
 * Control and format characters (bidirectional overrides among them), line separators, halves of surrogate pairs, and letters and
 * marks that have no shape: they act on what is around them, or hide.
 */
const UNSEEN = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]`;
/** Scripts in which joiners decide the shape of letters: Persian and Hindi names are full of them. */
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
/** Whole emoji, which are several characters held together by such ones, and variants of Han characters. */
const READABLE = [
  String.raw`\p{RGI_Emoji}`,
  String.raw`(?<=\p{Script=Han})[\u{e0100}-\u{e01ef}]`,
  String.raw`(?<=[${JOINING}])[\u200c\u200d](?=[${JOINING}])`,
].join('|');

const HAS_UNSEEN = new RegExp(UNSEEN, 'v');
const UNSEEN_OR_READABLE = new RegExp(`${READABLE}|(?<unseen>${UNSEEN})`, 'gv');

/**
 * Shows as `\uXXXX` what a terminal or a viewer would obey rather than show: no name can colour, move, hide or reorder the text around it.
 * Letters of every script, combining marks and emoji stay as they are. Of JSON it makes the same JSON.
 */
export function escapeUnseen(text: string): string {
  if (!HAS_UNSEEN.test(text)) return text;
  return text.replaceAll(UNSEEN_OR_READABLE, (found, unseen: string | undefined) =>
    unseen === undefined
      ? found
      : Array.from({ length: found.length }, (_, index) => escapeUnit(found.charCodeAt(index))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
