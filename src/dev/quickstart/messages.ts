import { quote } from './arguments.ts';
import type { QuickstartFolder } from './settings.ts';

/** The fields of the last event of `partway upload --json` that are shown here. */
export interface UploadSummary {
  readonly sessionId: string;
  readonly status: string;
  readonly bytes: number;
  readonly bytesSent: number;
  readonly seconds: number;
}

export function describeUpload({ bytes, bytesSent, seconds, sessionId }: UploadSummary): string {
  if (bytesSent === 0 && bytes > 0) return `This file is stored already, by session ${sessionId}: nothing had to be sent.`;
  const rate = seconds > 0 ? `, ${mebibytes(bytesSent / seconds)}/s` : '';
  const resumed = bytesSent < bytes ? ` of ${mebibytes(bytes)}; the rest was stored already` : '';
  return `completed: session ${sessionId}, sent ${mebibytes(bytesSent)}${resumed}, in ${seconds.toFixed(1)} s${rate}`;
}

export function describeStop(repeat: string): string {
  return `
Stopped. What the object store holds stays there. To continue from there, run the same command again:
  ${repeat}`;
}

export function describeUnverified(repeat: string): string {
  return `
Stopped while verifying. The upload itself is complete. To verify it, run the same command again (nothing is sent twice):
  ${repeat}`;
}

export function describeKeptFiles(folder: QuickstartFolder): string {
  return `
The servers are being shut down. Everything is kept for the next time:
  objects       ${folder.objects}
  database      ${folder.database}
  credentials   ${folder.credentials}  (only you can read them)
To continue:
  npm run quickstart                      the same again: nothing is sent twice
  npm run quickstart -- path/to/file      upload a file of yours
  npm run quickstart -- --serve           start MinIO and the control plane, and leave them running
  rm -r ${quote(folder.path)}   forget all of it`;
}

export function describeServing(folder: QuickstartFolder, url: string): string {
  return `
Running at ${url} until you press Ctrl-C. In another terminal, in this folder:
  . ${quote(folder.clientEnv)}      sets PARTWAY_SERVER and PARTWAY_TOKEN
  node bin/partway.js upload path/to/file
  node bin/partway.js list`;
}

function mebibytes(bytes: number): string {
  const mebi = bytes / 1024 ** 2;
  return mebi >= 1024 ? `${(mebi / 1024).toFixed(1)} GiB` : `${mebi.toFixed(1)} MiB`;
}
