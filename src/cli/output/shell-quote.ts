/** A path as it can be pasted into a shell: in single quotes (POSIX) or double quotes (Windows), always visible as one word. */
export function shellQuote(path: string, platform: NodeJS.Platform = 'linux'): string {
  if (platform === 'win32') return `"${path}"`;
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
