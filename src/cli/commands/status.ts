import { defineCommand } from 'citty';
import type * as wire from '../../contract/wire.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { about } from '../errors/failure.ts';
import { formatDuration, formatInstant } from '../format/durations.ts';
import { formatShare, formatSize, formatSpeed, percentOf } from '../format/sizes.ts';
import { type CommandModule, contextOf, JSON_FLAG, SESSION_ID } from '../input/command.ts';
import { connect } from '../upload/connect.ts';

const command = defineCommand({
  meta: { name: 'status', description: 'Show a session and how far it is, from anywhere' },
  args: { session_id: SESSION_ID, json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [sessionId = ''] = flags._;
    const controlPlane = connect(context);
    const [session, progress] = await about({ sessionId }, () =>
      Promise.all([controlPlane.get(sessionId), controlPlane.progress(sessionId)]),
    );
    if (flags.json) context.stdout.line(JSON.stringify({ type: 'status', session, progress }));
    else for (const line of renderStatus(session, progress)) context.stdout.line(line);
    return EXIT.ok;
  },
});

export function renderStatus(session: wire.Session, progress: wire.Progress): string[] {
  const rows: [string, string | undefined][] = [
    ['session', session.sessionId],
    ['status', session.status],
    ['object', `${session.bucket}/${session.key}`],
    ['file', `${session.fileName} (${formatSize(session.size)})`],
    ['strategy', session.partCount === 1 ? session.strategy : `${session.strategy}, parts of ${formatSize(session.partSize)}`],
    ['stored', `${formatShare(progress.storedBytes, progress.size)} (${percentOf(progress.storedBytes, progress.size)} %)`],
    ['parts', `${progress.partsStored} of ${progress.partCount}`],
    ['in flight', progress.inFlightBytes > 0 ? formatSize(progress.inFlightBytes) : undefined],
    ['speed', progress.bytesPerSecond > 0 ? formatSpeed(progress.bytesPerSecond) : undefined],
    [
      'time left',
      progress.secondsRemaining === null || session.status !== 'open' ? undefined : formatDuration(progress.secondsRemaining),
    ],
    ['checksum', session.checksum === null ? undefined : `crc32 ${session.checksum}`],
    ['etag', session.etag ?? undefined],
    ['created', instant(session.createdAt)],
    ['updated', instant(progress.updatedAt)],
    ['expires', instant(session.expiresAt)],
    ['parts kept', session.partsKeptUntil === null ? undefined : `until ${instant(session.partsKeptUntil)} by the store`],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(10)}  ${value}`]));
}

function instant(iso: string | null): string | undefined {
  return iso === null ? undefined : formatInstant(new Date(iso));
}

export default {
  command,
  examples: ['partway status ses_01kaz3v8f6q2m4n7x9y0w5r1td', 'partway status ses_01kaz3v8f6q2m4n7x9y0w5r1td --json'],
} satisfies CommandModule;
