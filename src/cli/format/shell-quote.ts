import { escapeUnseen } from '../../text/visible-text.ts';

/**
 * A path as it can be pasted into a shell: in single quotes (POSIX) or double quotes (Windows), always visible as one word. With
 * characters that a terminal would obey it is in `$'…'`, which bash, zsh, ksh and POSIX.1-2024 read: it still names the same file.
 */
export function shellQuote(path: string, platform: NodeJS.Platform = 'linux'): string {
  if (platform === 'win32') return `"${path}"`;
  if (escapeUnseen(path) === path) return `'${path.replaceAll("'", `'\\''`)}'`;
  const characters = Array.from(path, (character) => {
    if (character === "'" || character === '\\') return `\\${character}`;
    return escapeUnseen(character) === character ? character : octal(character);
  });
  return `$'${characters.join('')}'`;
}

function octal(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}
