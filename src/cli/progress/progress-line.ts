import { escapeInvisible } from '../../text/visible-text.ts';
import { formatDuration, formatSoon } from '../format/durations.ts';
import { formatShare, formatSize, formatSpeed, percentOf } from '../format/sizes.ts';
import { type OutputStyle, paint } from '../terminal/output-style.ts';
import { joinStyled, type Text } from '../terminal/styled-text.ts';
import { phaseWordings } from './phase-text.ts';
import { describeTroubles } from './result-line.ts';
import type { UploadView } from './upload-view.ts';

const WIDEST_BAR = 32;
const NARROWEST_BAR = 8;
/** Details give way to a bar of this many cells. */
const COMFORTABLE_BAR = 14;
const GAP = '  ';

type LineStyle = Pick<OutputStyle, 'colour' | 'unicode'>;

/** Renders one line for a terminal of `columns`; leaves out the least important fields first. Escapes reasons from servers and stores before measuring them. */
export function renderProgressLine(view: UploadView, columns: number, style: LineStyle, now: number): Text {
  // The last column stays free: a terminal may wrap when it is written to.
  const room = Math.max(0, columns - 1);
  const wordings = phaseWordings(view.phase, now).map(escapeInvisible);
  const [first = '', ...rest] = wordings.length > 0 ? phaseFields(view, wordings, room) : sendingFields(view, room, now);
  const barWidth = Math.min(WIDEST_BAR, room - widthOf([first, ...rest, '']));
  if (barWidth < NARROWEST_BAR) return [first, ...rest].join(GAP).slice(0, room);
  return joinStyled([first, renderBar(view, barWidth, style), ...rest], GAP);
}

/** Renders the same facts as a sentence for a log. */
export function renderProgressSentence(view: UploadView, now: number): string {
  const { storedBytes, inFlightBytes, size } = view;
  const inFlight = inFlightBytes === 0 ? '' : `, ${formatSize(inFlightBytes)} in flight`;
  return [
    `${percentOf(storedBytes, size)} %`,
    `${formatShare(storedBytes, size)} stored${inFlight}`,
    formatSpeed(view.bytesPerSecond),
    ...averageOf(view),
    ...timeLeft(view, now),
    ...partsOf(view),
    ...troublesOf(view),
  ].join(GAP);
}

/** Chooses the fullest wording that fits; the stored amount gives way to it. */
function phaseFields(view: UploadView, wordings: readonly string[], room: number): string[] {
  const candidates = wordings.flatMap((wording) => [
    [percent(view), share(view), wording],
    [percent(view), wording],
  ]);
  return candidates.find((fields) => widthOf(fields) <= room) ?? [percent(view)];
}

/** Leaves out, in this order: details that matter less than a bar, the bar, the clock time, the rest. */
function sendingFields(view: UploadView, room: number, now: number): string[] {
  const essential = [percent(view), share(view), formatSpeed(view.bytesPerSecond)];
  const leavesBar = (fields: readonly string[]) => widthOf([...fields, '']) + COMFORTABLE_BAR <= room;
  const fields = [...essential, ...timeLeft(view, now)];
  if (!leavesBar(fields)) return fitting([...essential, ...timeLeft(view)], room);
  for (const extra of [...averageOf(view), ...troublesOf(view), ...partsOf(view)]) {
    if (leavesBar([...fields, extra])) fields.push(extra);
  }
  return fields;
}

function percent({ storedBytes, size }: UploadView): string {
  return `${String(percentOf(storedBytes, size)).padStart(3)} %`;
}

function share({ storedBytes, size }: UploadView): string {
  return formatShare(storedBytes, size, '/');
}

/** Adds the clock time if `now` is given. */
function timeLeft({ secondsRemaining }: UploadView, now?: number): string[] {
  if (secondsRemaining === null || secondsRemaining === 0) return [];
  const left = `${formatDuration(secondsRemaining)} left`;
  return now === undefined ? [left] : [`${left}, done ${formatSoon(new Date(now + secondsRemaining * 1_000), new Date(now))}`];
}

function averageOf({ averageBytesPerSecond }: UploadView): string[] {
  return averageBytesPerSecond === 0 ? [] : [`average ${formatSpeed(averageBytesPerSecond)}`];
}

function troublesOf(view: UploadView): string[] {
  const troubles = describeTroubles(view);
  return troubles === undefined ? [] : [troubles];
}

function partsOf({ partCount, partsStored }: UploadView): string[] {
  return partCount === 1 ? [] : [`${partsStored}/${partCount} parts`];
}

function fitting(fields: readonly string[], room: number): string[] {
  const kept = [...fields];
  while (kept.length > 1 && widthOf(kept) > room) kept.pop();
  return kept;
}

function widthOf(fields: readonly string[]): number {
  return fields.join(GAP).length;
}

/** Draws stored, in flight and missing as three kinds of cells. */
function renderBar(view: UploadView, width: number, style: LineStyle): Text {
  const [full, light, empty] = style.unicode ? (['█', '▒', '░'] as const) : (['#', '+', '.'] as const);
  const stored = cells(view.storedBytes, view.size, width);
  const moving = Math.max(stored, cells(view.storedBytes + view.inFlightBytes, view.size, width)) - stored;
  const bar = [
    paint(full.repeat(stored), 'green', style),
    paint(light.repeat(moving), 'cyan', style),
    paint(empty.repeat(width - stored - moving), 'dim', style),
  ];
  return joinStyled(bar, '');
}

function cells(bytes: number, size: number, width: number): number {
  return size === 0 ? 0 : Math.min(width, Math.floor((bytes / size) * width));
}
