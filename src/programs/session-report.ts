import { RUNTIME_PRICES } from '../aws/prices.ts';
import { formatCost, sumCosts } from '../sessions/cost.ts';
import type { SessionInfo, SessionProgram } from '../sessions/session-book.ts';
import { abbreviateIds } from '../sessions/session-lookup.ts';
import {
  formatDuration,
  formatRuntimeName,
  formatSessionNotes,
  formatTime,
  sanitizeForTerminal,
} from '../sessions/session-words.ts';
import { formatTable } from './text-table.ts';

/** Milliseconds for which an ended session stays in the list. */
const RECENT = 24 * 3_600_000;

/** By importance: a narrow terminal cuts off the last columns. */
const COLUMNS = [
  'ID',
  'STATE',
  'RUNTIME',
  'AGE',
  'COST SO FAR',
  'TO COME',
  'IDLE LEFT',
  'LIFE LEFT',
  'PROGRAM',
];

interface ListOptions {
  /** Include sessions that ended more than a day ago. */
  readonly all: boolean;
  readonly now: number;
  /** Terminal width in characters. */
  readonly width: number;
}

/** Formats sessions as a table, with notes and total costs. */
export function formatSessionList(entries: readonly SessionInfo[], options: ListOptions): string {
  const { all, now, width } = options;
  if (entries.length === 0) {
    return 'No sessions are on record. They appear here as soon as agentcore-mcp proxy uses a runtime.\n';
  }
  const shown = entries.filter(
    ({ endedAt }) => all || endedAt === undefined || now - Date.parse(endedAt) < RECENT,
  );
  const abbreviate = abbreviateIds(entries);
  const rows = shown.map((entry) => createRow(entry, abbreviate(entry)));
  const notes = shown.flatMap((entry) =>
    formatSessionNotes(entry).map((note) => `${abbreviate(entry)}: ${sanitizeForTerminal(note)}`),
  );
  const older = entries.length - shown.length;
  return [
    shown.length > 0 ? formatTable([COLUMNS, ...rows], width) : '',
    joinLines(notes),
    joinLines([
      ...formatSummary(shown),
      ...(older > 0 ? [`${pluralize(older, 'older one')} not shown: sessions list --all`] : []),
    ]),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function createRow(entry: SessionInfo, id: string): string[] {
  const { state, mayBill, idleLeft, lifetimeLeft, lifecycle, programs } = entry;
  const about = lifecycle.source === 'assumed' ? '~' : '';
  const left = (milliseconds: number) =>
    mayBill ? `${about}${formatDuration(milliseconds)}` : '-';
  return [
    id,
    state,
    sanitizeForTerminal(formatRuntimeName(entry)),
    formatDuration(entry.age),
    formatCost(entry.cost),
    mayBill ? formatCost(entry.costToCome) : '-',
    // The idle timer does not run during calls.
    state === 'active' ? '-' : left(idleLeft),
    left(lifetimeLeft),
    programs.map(({ program, pid }) => sanitizeForTerminal(`${program} ${pid}`)).join(', '),
  ];
}

function formatSummary(shown: readonly SessionInfo[]): string[] {
  const billing = shown.filter(({ mayBill }) => mayBill);
  if (billing.length === 0) return ['None of them should cost anything any more.'];
  const cost = formatCost(sumCosts(billing.map((entry) => entry.cost)));
  const toCome = formatCost(sumCosts(billing.map(({ costToCome }) => costToCome)));
  const orphaned = billing.filter(({ state }) => state === 'orphaned').length;
  return [
    `${pluralize(billing.length, 'session')} may bill: ${cost} so far, ${toCome} to come if left alone.`,
    ...(orphaned > 0
      ? [
          `${pluralize(orphaned, 'session')} without a program: agentcore-mcp sessions stop --orphaned`,
        ]
      : []),
    ...(billing.some(({ lifecycle }) => lifecycle.source === 'assumed')
      ? ['~ by the default timeouts, since the runtime could not be asked for its own.']
      : []),
    `Costs are by the prices of ${RUNTIME_PRICES.date} (${RUNTIME_PRICES.source}), from an idle session to a fully busy one.`,
  ];
}

/** Formats a session without its records. */
export function formatSessionDetails(entry: SessionInfo, now: number): string {
  const { lifecycle, mayBill, mayBillUntil, state, endedAt, assumeRole } = entry;
  const ago = (moment: string) =>
    `${formatTime(moment)}, ${formatDuration(Math.max(0, now - Date.parse(moment)))} ago`;
  const timeouts = `${formatDuration(lifecycle.idleTimeout)} idle, ${formatDuration(lifecycle.maxLifetime)} in all`;
  const calls = entry.open > 0 ? `${entry.calls}, ${entry.open} under way` : `${entry.calls}`;
  const facts: (readonly [string, string | undefined])[] = [
    ['State', mayBillUntil ? `${state}, may bill until ${formatTime(mayBillUntil)}` : state],
    ['Runtime', entry.runtime],
    ['Qualifier', entry.qualifier],
    ['Data plane', entry.endpoint],
    ['Mode', entry.mode],
    ['Session id sent', entry.runtimeSessionId],
    ['Session id returned', entry.returnedId],
    ['MCP session id', entry.mcpSessionId],
    ...entry.programs.map((program) => ['Program', formatProgram(program)] as const),
    ['Profile', entry.profile],
    ['Role', assumeRole?.arn],
    ['Started', ago(entry.startedAt)],
    ['Last active', ago(entry.lastActiveAt)],
    ['Ended', endedAt === undefined ? undefined : ago(endedAt)],
    ['Calls', calls],
    ['Timeouts', lifecycle.source === 'runtime' ? timeouts : `${timeouts} (assumed)`],
    ['Idle left', mayBill && state !== 'active' ? formatDuration(entry.idleLeft) : undefined],
    ['Lifetime left', mayBill ? formatDuration(entry.lifetimeLeft) : undefined],
    ['Cost so far', formatCost(entry.cost)],
    ['To come', mayBill ? `${formatCost(entry.costToCome)} if left alone` : undefined],
    ...formatSessionNotes(entry).map((note) => ['Note', note] as const),
  ];
  const rows = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [[`  ${name}`, sanitizeForTerminal(value)]],
  );
  return `Session ${entry.id}\n${formatTable(rows)}`;
}

function formatProgram({ program, pid, host, liveness }: SessionProgram): string {
  const state = { alive: 'running', dead: 'ended', elsewhere: 'on another machine' }[liveness];
  return `${program} ${pid} on ${host}, ${state}`;
}

function joinLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function pluralize(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
