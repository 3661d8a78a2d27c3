import { escapeInvisible } from '../../text/visible-text.ts';

/**
 * Quotes a path so that it can be pasted into a shell: in single quotes (POSIX) or double quotes (Windows), always visible as one word.
 * A path with characters that a terminal would obey goes into `$'…'`, which bash, zsh, ksh and POSIX.1-2024 understand: it still names
 * the same file.
 */
export function shellQuote(path: string, platform: NodeJS.Platform = 'linux'): string {
  if (platform === 'win32') return `"${path}"`;
  if (escapeInvisible(path) === path) return `'${path.replaceAll("'", `'\\''`)}'`;
  const characters = Array.from(path, (character) => {
    if (character === "'" || character === '\\') return `\\${character}`;
    return escapeInvisible(character) === character ? character : octal(character);
  });
  return `$'${characters.join('')}'`;
}

function octal(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}
