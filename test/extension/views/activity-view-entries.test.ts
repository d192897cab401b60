import { describe, expect, it } from 'vitest';
import { toLogEntry } from '../../../src/extension/models/activity-model.ts';
import { formatEntry } from '../../../src/extension/views/activity-view.ts';
import type { CallRecord, JournalRecord } from '../../../src/state/journal/records.ts';
import { foreignHead } from '../../state/journal/fixture.ts';

const AT = '2026-01-01T12:00:00.000Z';
const CALL: CallRecord = {
  type: 'call',
  at: AT,
  method: 'tools/call',
  name: 'remember',
  milliseconds: 87.4,
  bytesIn: 1,
  bytesOut: 1,
  outcome: 'result',
  attempts: 1,
};
const OF_SESSION = { at: AT, session: 'a' } as const;

describe('an entry of the replay log shows', () => {
  it.each<[string, Partial<CallRecord>, string, string]>([
    ['the name of the call', {}, 'remember', '87 ms'],
    ['the method of a request without a name', { name: undefined }, 'tools/call', '87 ms'],
    [
      'the number of attempts',
      { milliseconds: 2441, attempts: 2 },
      'remember',
      '2.4 s · 2 attempts',
    ],
    ['a failure', { outcome: 'failed' }, 'remember', 'failed · 87 ms'],
    ['the error code', { outcome: 'error', code: -32_010 }, 'remember', 'error -32010 · 87 ms'],
    ['a name without bidirectional control characters', { name: 'a\u202eb' }, 'ab', '87 ms'],
  ])('%s', (_, more, about, said) => {
    const words = formatEntry({ ...CALL, ...more });
    expect(words.said).toBe(said);
    expect(words.about.replace(/[^\w/]/g, '')).toBe(about);
    expect(words.about).not.toContain('\u202e');
  });

  it('a repeated handshake and the calls after it', () => {
    const replayed = { type: 'session.replayed', ...OF_SESSION, next: 'b', reason: '404' } as const;
    const words = formatEntry({ ...replayed, milliseconds: 2276, calls: 1, toolsChanged: true });
    expect(words).toEqual({
      about: 'Handshake repeated',
      said: '1 call sent again · 2.3 s · other tools',
    });
  });

  it('the policy decision on a request', () => {
    const words = formatEntry({
      type: 'audit.request',
      at: AT,
      phase: 'ended',
      id: 'a',
      from: 'client',
      method: 'tools/call',
      name: 'drop',
      runtime: 'arn',
      decision: { effect: 'deny', rule: '/default' },
      redactions: { email: 2 },
    } as never);
    expect(words).toEqual({ about: 'drop', said: 'denied by /default; hidden: 2 email' });
  });
});

it.each<JournalRecord>([
  { type: 'session.active', ...OF_SESSION, open: 1 },
  { type: 'session.identified', ...OF_SESSION, returnedId: 'b' },
])('a record that only serves the session list is not an entry: $type', (record) => {
  expect(toLogEntry(record, foreignHead())).toBeUndefined();
  expect(toLogEntry(CALL, foreignHead())).toBeDefined();
});
