import type { Policy } from './documents/policy.ts';
import type { Window } from './documents/windows.ts';

/** The facts needed by the rules of some documents. The proxy looks up no others. */
interface Needs {
  readonly caller: boolean;
  readonly schemas: boolean;
  readonly annotations: boolean;
  /** Windows of all budgets. */
  readonly windows: readonly Window[];
  /** True if a rule applies to methods. */
  readonly methods: boolean;
}

const known = new WeakMap<readonly Policy[], Needs>();

export function getRequiredFacts(policies: readonly Policy[]): Needs {
  const before = known.get(policies);
  if (before) return before;
  const bodies = policies.flatMap(({ body, sections }) => [body, ...sections]);
  const entries = bodies.flatMap((body) => body.entries);
  const windows = bodies.flatMap(({ budgets }) => budgets.map(({ window }) => window));
  const needs: Needs = {
    caller: policies.some(({ needsCaller }) => needsCaller),
    schemas: entries.some(({ rules }) => rules.some(({ kind }) => kind === 'schema')),
    annotations: bodies.some(({ approve }) => approve.length > 0),
    windows: [...new Map(windows.map((window) => [window.words, window])).values()],
    methods: entries.some(({ kind }) => kind === 'method'),
  };
  known.set(policies, needs);
  return needs;
}
