import type { SessionInfo } from './session-book.ts';

const SECOND = 1000;

const MINUTE = 60 * SECOND;

const HOUR = 60 * MINUTE;

const DAY = 24 * HOUR;

/** A duration in its two largest units: `45 s`, `12 m`, `8 h`, `3 h 5 m`, `2 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const whole = (unit: number) => Math.floor(milliseconds / unit);
  const and = (rest: number, unit: string) => (rest === 0 ? '' : ` ${rest} ${unit}`);
  if (milliseconds < MINUTE) return `${whole(SECOND)} s`;
  if (milliseconds < HOUR) return `${whole(MINUTE)} m`;
  if (milliseconds < DAY) return `${whole(HOUR)} h${and(whole(MINUTE) % 60, 'm')}`;
  return `${whole(DAY)} d${and(whole(HOUR) % 24, 'h')}`;
}

/** A moment in local time: `2026-11-21 12:03:07`. */
export function formatTime(moment: string): string {
  const date = new Date(moment);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** What else is to be said of a session, as sentences without a full stop. */
export function formatSessionNotes(entry: SessionInfo): readonly string[] {
  const { mayBillUntil, stopFailure, lifecycle, programs } = entry;
  const notes: string[] = [];
  const until = mayBillUntil && formatTime(mayBillUntil);
  const isWatched = programs.some(({ liveness }) => liveness === 'alive');
  if (until && !entry.idsKnown && !isWatched) {
    notes.push(`id unknown, may bill until ${until}: AgentCore's answer is not on record`);
  } else if (entry.mayRunOn) {
    notes.push(
      `calls were under way when its program ended and may have run on; it may bill until ${until}`,
    );
  }
  if (stopFailure) {
    notes.push(`could not be stopped at ${formatTime(stopFailure.at)}: ${stopFailure.reason}`);
  }
  if (entry.state === 'expired' && lifecycle.source === 'assumed') {
    notes.push('expired if its runtime has the default timeouts, which it could not be asked');
  }
  const host = programs.find(({ liveness }) => liveness === 'elsewhere')?.host;
  if (host && entry.mayBill) {
    notes.push(`its program runs on ${host}; whether it is alive is known there only`);
  }
  return notes;
}

/** The last part of a runtime's ARN, with the endpoint where it is not the default one. */
export function formatRuntimeName({
  runtime,
  qualifier,
}: Pick<SessionInfo, 'runtime' | 'qualifier'>): string {
  const name = runtime.slice(runtime.lastIndexOf('/') + 1);
  return qualifier === undefined || qualifier === 'DEFAULT' ? name : `${name}:${qualifier}`;
}

/** Text from elsewhere without what would move a terminal's cursor or begin another line. */
export function sanitizeForTerminal(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
}
