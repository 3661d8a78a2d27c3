import type { UploadView } from './upload-view.ts';

/** Says what the first Ctrl-C waits for. Figures come every 250 ms, so they may miss a part that has just begun. */
export function stoppingWords({ phase, inFlightBytes }: Pick<UploadView, 'phase' | 'inFlightBytes'>): string {
  if (phase.name === 'finishing') return 'all parts are stored, and the server may complete the upload all the same';
  const parts = inFlightBytes > 0 ? 'the parts in flight get up to 5 s to finish' : 'no part is in flight';
  return phase.name === 'offline' ? `${phase.what} is not waited for any longer; ${parts}` : parts;
}
