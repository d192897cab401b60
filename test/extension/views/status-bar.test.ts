import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionsSnapshot } from '../../../src/extension/models/sessions-model.ts';
import { BillingStatusBar } from '../../../src/extension/views/status-bar.ts';
import { EventEmitter, window, workspace } from '../vscode-stub.ts';

const MINUTE = 60_000;
const COST = { least: 0.001, most: 0.002 };

beforeEach(() => {
  workspace.settings = {};
  window.said.length = 0;
  window.pressed = undefined;
});
afterEach(() => {
  workspace.settings = {};
});

/** A window with a session of this age that may be billed. */
function setUp(age: number, endpoint = 'https://bedrock-agentcore.us-east-1.amazonaws.com') {
  const changed = new EventEmitter<SessionsSnapshot>();
  const costs = { cost: COST, costToCome: COST };
  const entry = { id: 'a', mayBill: true, age, ...costs, runtime: 'arn:x/y', endpoint };
  const value = { entries: [entry], problems: [] } as never;
  const status = new BillingStatusBar({ onDidChange: changed.event, value } as never);
  changed.fire(value);
  return status;
}

describe('session settings apply as soon as they change', () => {
  it('statusBar hides and shows the status bar item', () => {
    const status = setUp(MINUTE);
    expect(window.statusBarItem).toMatchObject({
      isShown: true,
      text: expect.stringContaining('1 · $'),
    });
    workspace.configure({ 'agentcore.sessions.statusBar': false });
    expect(window.statusBarItem?.isShown).toBe(false);
    workspace.configure({});
    expect(window.statusBarItem?.isShown).toBe(true);
    status.dispose();
  });

  it('noticeAfterMinutes shows one notification per session, at the configured age', () => {
    const status = setUp(30 * MINUTE);
    expect(window.said).toEqual([]);
    workspace.configure({ 'agentcore.sessions.noticeAfterMinutes': 0 });
    expect(window.said).toEqual([]);
    workspace.configure({ 'agentcore.sessions.noticeAfterMinutes': 20 });
    workspace.configure({ 'agentcore.sessions.noticeAfterMinutes': 10 });
    expect(window.said).toEqual([expect.stringMatching(/has run for 30 m/)]);
    status.dispose();
  });
});

it.each([
  ['https://bedrock-agentcore.us-east-1.amazonaws.com', false],
  ['http://127.0.0.1:8787', true],
])('the tooltip for %s states that it is free: %s', (endpoint, isFree) => {
  const status = setUp(MINUTE, endpoint);
  expect(window.statusBarItem?.tooltip?.includes('costs nothing')).toBe(isFree);
  status.dispose();
});
