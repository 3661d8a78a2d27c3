import { create } from 'content-disposition';

/** STUB until the audit branch is merged. */
export function contentDispositionOf(type: 'inline' | 'attachment', fileName: string): string {
  return create(fileName, { type, fallback: 'file' });
}
