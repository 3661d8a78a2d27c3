import type { CommandModule } from './input/command.ts';

/** Sections of `partway --help`, in its order. */
export const SECTIONS = {
  uploads: 'Commands for uploads',
  sessions: 'Commands for sessions',
  server: "Commands on the server's own host",
} as const;

/** A command that one file of `commands/` defines. The file is loaded only to run the command or to show its help. */
export interface Leaf {
  readonly name: string;
  /** So short that its line in `partway --help` fits into 80 columns. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: CommandModule }>;
}

interface InHelp {
  readonly section: keyof typeof SECTIONS;
}

export interface TopCommand extends Leaf, InHelp {
  /** The arguments, as `partway --help` shows them. */
  readonly usage: string;
}

export interface CommandGroup extends InHelp {
  readonly name: string;
  readonly summary: string;
  readonly subCommands: readonly Leaf[];
}

/** All commands, in the order of `partway --help`. Routing and help read this table and nothing else. */
export const COMMANDS: readonly (TopCommand | CommandGroup)[] = [
  {
    name: 'upload',
    usage: 'FILE…',
    summary: 'Upload files, or go on with what is not stored yet',
    section: 'uploads',
    load: () => import('./commands/upload.ts'),
  },
  {
    name: 'resume',
    usage: 'SESSION_ID [FILE]',
    summary: 'Go on with a session, here or on another machine',
    section: 'uploads',
    load: () => import('./commands/resume.ts'),
  },
  {
    name: 'pause',
    usage: '[SESSION_ID]',
    summary: 'Pause an upload that runs on this machine',
    section: 'uploads',
    load: () => import('./commands/pause.ts'),
  },
  {
    name: 'continue',
    usage: '[SESSION_ID]',
    summary: 'Let a paused upload go on',
    section: 'uploads',
    load: () => import('./commands/continue.ts'),
  },
  {
    name: 'limit',
    usage: '[SESSION_ID] [RATE]',
    summary: 'Change how fast it sends: 8Mbit, none; or show it',
    section: 'uploads',
    load: () => import('./commands/limit.ts'),
  },
  {
    name: 'doctor',
    usage: '',
    summary: 'Check all that an upload needs, and say what to do',
    section: 'uploads',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'list',
    usage: '',
    summary: 'List the upload sessions, newest first',
    section: 'sessions',
    load: () => import('./commands/list.ts'),
  },
  {
    name: 'status',
    usage: 'SESSION_ID',
    summary: 'Show a session, and how far it is',
    section: 'sessions',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'verify',
    usage: 'SESSION_ID [FILE]',
    summary: 'Compare a file with the object that is stored',
    section: 'sessions',
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'abort',
    usage: 'SESSION_ID',
    summary: 'Discard an unfinished upload and its stored parts',
    section: 'sessions',
    load: () => import('./commands/abort.ts'),
  },
  {
    name: 'grant',
    usage: 'SESSION_ID',
    summary: 'Make a token for one session and nothing else',
    section: 'sessions',
    load: () => import('./commands/grant.ts'),
  },
  {
    name: 'serve',
    usage: '',
    summary: 'Run the control plane',
    section: 'server',
    load: () => import('./commands/serve.ts'),
  },
  {
    name: 'token',
    summary: 'Make, list and revoke tokens',
    section: 'server',
    subCommands: [
      { name: 'create', summary: 'Make a token; it is shown once', load: () => import('./commands/token-create.ts') },
      { name: 'list', summary: 'List the tokens, but not their secrets', load: () => import('./commands/token-list.ts') },
      {
        name: 'revoke',
        summary: 'Revoke a token, or all tokens of a name, at once',
        load: () => import('./commands/token-revoke.ts'),
      },
    ],
  },
  {
    name: 'events',
    summary: 'List the events of the webhook, or send them again',
    section: 'server',
    subCommands: [
      {
        name: 'list',
        summary: 'List events and their deliveries, newest first',
        load: () => import('./commands/events-list.ts'),
      },
      {
        name: 'replay',
        summary: 'Send an event again, or all that are dead',
        load: () => import('./commands/events-replay.ts'),
      },
    ],
  },
  {
    name: 'audit',
    usage: '',
    summary: 'Show who did what, from the audit log',
    section: 'server',
    load: () => import('./commands/audit.ts'),
  },
  {
    name: 'backup',
    usage: 'FILE',
    summary: 'Copy the SQLite database, while the server runs',
    section: 'server',
    load: () => import('./commands/backup.ts'),
  },
  {
    name: 'migrate-store',
    usage: '',
    summary: 'Copy a stopped server from SQLite to PostgreSQL',
    section: 'server',
    load: () => import('./commands/migrate-store.ts'),
  },
  {
    name: 'sweep',
    usage: '--dry-run',
    summary: 'Show what the sweeper would do now',
    section: 'server',
    load: () => import('./commands/sweep.ts'),
  },
];

export function isGroup(entry: Leaf | CommandGroup): entry is CommandGroup {
  return 'subCommands' in entry;
}
