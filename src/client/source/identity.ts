import type { SourceIdentity } from './byte-source.ts';

/**
 * Whether checksums that were read when a source was `before` are valid for what it is `now`, without reading it again. Without a
 * change time on both sides nothing vouches: a program that writes can put size and modification time back.
 */
export function vouches(before: SourceIdentity, now: SourceIdentity): boolean {
  return before.ctimeNs !== undefined && before.ctimeNs === now.ctimeNs && looksSame(before, now);
}

/** Whether nothing shows that the source changed in between. This is proof only where the source has a change time. */
export function isUnchanged(before: SourceIdentity, now: SourceIdentity): boolean {
  return before.ctimeNs === undefined ? looksSame(before, now) : vouches(before, now);
}

function looksSame(a: SourceIdentity, b: SourceIdentity): boolean {
  return a.device === b.device && a.inode === b.inode && a.size === b.size && a.mtimeMs === b.mtimeMs;
}
