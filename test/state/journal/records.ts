import type {
  CallRecord,
  SessionFacts,
  SessionStarted,
} from '../../../src/state/journal/records.ts';

export const START = new Date('2026-11-21T12:00:00.000Z');

/** The time of this many seconds after {@link START}. */
export function at(seconds: number): string {
  return new Date(START.getTime() + seconds * 1000).toISOString();
}

export const ORIGIN = {
  runtimeSessionId: 'agentcore-mcp-00000000-0000-4000-8000-000000000000',
  runtime: 'arn:aws:bedrock-agentcore:eu-west-1:111122223333:runtime/demo-abc',
  mode: 'session',
  endpoint: 'https://bedrock-agentcore.eu-west-1.amazonaws.com',
} as const;

export function started(session: string, seconds = 0): SessionStarted {
  return { type: 'session.started', at: at(seconds), session, ...ORIGIN };
}

export function call(session: string, seconds = 0, more: Partial<CallRecord> = {}): CallRecord {
  return {
    type: 'call',
    at: at(seconds),
    session,
    method: 'tools/call',
    name: 'echo',
    milliseconds: 500,
    bytesIn: 10,
    bytesOut: 20,
    outcome: 'result',
    attempts: 1,
    ...more,
  };
}

export function facts(session: string, more: Partial<SessionFacts> = {}): SessionFacts {
  const begin = { startedAt: at(0), lastActiveAt: at(0), open: 0, calls: 0 };
  return { session, ...ORIGIN, ...begin, ...more };
}
