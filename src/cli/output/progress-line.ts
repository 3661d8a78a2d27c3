import { formatClock, formatDuration } from './durations.ts';
import { type OutputStyle, paint } from './output-style.ts';
import { formatShare, formatSpeed, percentOf } from './sizes.ts';
import type { UploadView } from './upload-view.ts';

const WIDEST_BAR = 32;
const NARROWEST_BAR = 8;

type LineStyle = Pick<OutputStyle, 'colour' | 'unicode'>;

/** One line for a terminal of `columns`: what fits, the least important left out first. */
export function renderProgressLine(view: UploadView, columns: number, style: LineStyle, now: number): string {
  const state = describePhase(view, now);
  const percent = `${String(percentOf(view.storedBytes, view.size)).padStart(3)} %`;
  const fields = [percent, formatShare(view.storedBytes, view.size, '/'), ...(state === undefined ? movement(view) : [state])];
  // The last column stays free: a terminal may wrap when it is written to.
  const room = columns - 1;
  const kept = fitting(fields, room);
  const barWidth = Math.min(WIDEST_BAR, room - kept.join('  ').length - 2);
  if (barWidth < NARROWEST_BAR) return kept.join('  ').slice(0, Math.max(0, room));
  const [first = '', ...rest] = kept;
  return [first, renderBar(view, barWidth, style), ...rest].join('  ');
}

/** The same facts as a sentence for a log. */
export function renderProgressSentence(view: UploadView): string {
  const { storedBytes, size } = view;
  return [`${percentOf(storedBytes, size)} %`, `${formatShare(storedBytes, size)} stored`, ...movement(view)].join('  ');
}

/** What is going on when it is not the usual sending; undefined then. */
export function describePhase({ phase }: UploadView, now: number): string | undefined {
  switch (phase.name) {
    case 'starting':
    case 'sending':
      return undefined;
    case 'verifying':
      return `comparing the stored parts with the file: ${formatShare(phase.verifiedBytes, phase.totalBytes)}`;
    case 'offline': {
      const seconds = Math.max(0, Math.ceil((phase.nextTryAt - now) / 1000));
      const next = seconds === 0 ? 'trying again now' : `trying again in ${seconds} s`;
      return `offline since ${formatClock(new Date(phase.since))} (${phase.what}), ${next}`;
    }
    case 'finishing':
      return 'finishing: the store is assembling the object';
  }
}

function movement(view: UploadView): string[] {
  const left = view.secondsRemaining === null ? [] : [`${formatDuration(view.secondsRemaining)} left`];
  const parts = view.partCount === 1 ? [] : [`${view.partsStored}/${view.partCount} parts`];
  return [formatSpeed(view.bytesPerSecond), ...left, ...parts];
}

function fitting(fields: readonly string[], room: number): string[] {
  const kept = [...fields];
  while (kept.length > 1 && kept.join('  ').length > room) kept.pop();
  return kept;
}

/** Stored, in flight and missing as three kinds of cells. */
function renderBar(view: UploadView, width: number, style: LineStyle): string {
  const [full, light, empty] = style.unicode ? (['█', '▒', '░'] as const) : (['#', '+', '.'] as const);
  const stored = cells(view.storedBytes, view.size, width);
  const moving = Math.max(stored, cells(view.storedBytes + view.inFlightBytes, view.size, width)) - stored;
  return [
    paint(full.repeat(stored), 'green', style),
    paint(light.repeat(moving), 'cyan', style),
    paint(empty.repeat(width - stored - moving), 'dim', style),
  ].join('');
}

function cells(bytes: number, size: number, width: number): number {
  return size === 0 ? 0 : Math.min(width, Math.floor((bytes / size) * width));
}
