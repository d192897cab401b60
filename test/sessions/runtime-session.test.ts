import { describe, expect, it } from 'vitest';
import { RuntimeSession } from '../../src/sessions/runtime-session.ts';
import type { JournalRecord } from '../../src/state/journal/records.ts';

const ORIGIN = {
  runtime: 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_server-AbCdEf1234',
  qualifier: undefined,
  mode: 'session',
  endpoint: 'http://127.0.0.1:1/',
} as const;

/** A session with one open call, and its journal records. */
async function begun() {
  const records: JournalRecord[] = [];
  const journal = {
    record: (record: JournalRecord) => void records.push(record),
    recordNow: async (record: JournalRecord) => void records.push(record),
  };
  const session = new RuntimeSession('agentcore-mcp-test', ORIGIN, journal);
  const invoke = async () => {
    const ended = session.callBegins();
    await session.onRecord();
    return ended;
  };
  const types = () => records.map(({ type }) => type);
  return { session, invoke, types, first: await invoke() };
}

describe('a session with a rejected invoke', () => {
  it('has not started if there was no other invoke', async () => {
    const { session, first, types } = await begun();
    session.refused();
    first();
    expect(session.mayRun).toBe(false);
    expect(types()).toEqual(['session.started', 'session.lost']);
  });

  it('stays in the journal while another invoke may start it', async () => {
    const { session, invoke, first, types } = await begun();
    const second = await invoke();
    session.refused();
    first();
    expect(session.mayRun).toBe(true);
    expect(types()).toEqual(['session.started']);
    session.refused();
    second();
    expect(session.mayRun).toBe(false);
  });

  it('stays the same session if another invoke was accepted', async () => {
    const { session, invoke, first, types } = await begun();
    const second = await invoke();
    session.refused();
    first();
    session.accepted();
    second();
    session.stopped(false);
    expect(types()).toEqual(['session.started', 'session.stopped']);
  });
});
