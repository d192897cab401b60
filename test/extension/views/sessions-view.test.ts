import { expect, it, onTestFinished } from 'vitest';
import type { SessionsSnapshot } from '../../../src/extension/models/sessions-model.ts';
import type { SessionNode } from '../../../src/extension/models/tree-nodes.ts';
import { SessionsView } from '../../../src/extension/views/sessions-view.ts';
import { EventEmitter } from '../vscode-stub.ts';

/** A view of sessions that may be billed, and the events that VS Code receives. */
function setUp() {
  const journal = {
    changed: new EventEmitter<SessionsSnapshot>(),
    value: { entries: [], problems: [] } as SessionsSnapshot,
    onDidChange: (listener: (snapshot: SessionsSnapshot) => void) =>
      journal.changed.event(listener),
    refresh: async () => undefined,
  };
  const approvals = { value: [], onDidChange: new EventEmitter<void>().event };
  const view = new SessionsView(journal as never, approvals as never);
  onTestFinished(() => view.dispose());
  const told: unknown[] = [];
  view.onDidChangeTreeData((nodes) => told.push(nodes));
  const show = (...sessions: readonly { readonly id: string; readonly age: number }[]) => {
    const entries = sessions.map((one) => ({ ...one, mayBill: true }));
    journal.value = { entries, problems: [] } as never;
    journal.changed.fire(journal.value);
  };
  return { view, told, show };
}

it('refreshes items whose text changed, and the whole tree if a session came or went', () => {
  const { view, told, show } = setUp();
  show({ id: 'a', age: 1 }, { id: 'b', age: 1 });
  const shown = view.getChildren();
  show({ id: 'a', age: 2 }, { id: 'b', age: 2 });
  show({ id: 'b', age: 3 });
  expect(told).toEqual([undefined, shown, undefined]);
  expect(told[1]).toEqual([
    { kind: 'session', entry: expect.objectContaining({ id: 'a', age: 2 }) },
    { kind: 'session', entry: expect.objectContaining({ id: 'b', age: 2 }) },
  ]);
  expect((told[1] as SessionNode[])[0]).toBe(shown[0]);
});
