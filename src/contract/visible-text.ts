/** Control and format characters (bidirectional overrides among them), line separators, halves of surrogate pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Shows as `\uXXXX` what a terminal or a viewer would obey rather than show: no name can colour, move or reorder the text around it.
 * Of JSON it makes the same JSON.
 */
export function escapeUnseen(text: string): string {
  return text.replaceAll(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, index) => escapeUnit(character.charCodeAt(index))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
