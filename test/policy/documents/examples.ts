/** Valid and invalid documents of each form. The JSON schema and the parser must agree on them. */
export const VALID: Readonly<Record<string, string>> = {
  'Intercept’s YAML': `
version: "1"
description: GitHub
hide: [transfer_repository]
tools:
  create_issue: { rules: [{ name: hourly, rate_limit: 5/hour, on_deny: enough }] }
  delete_repository: { rules: [{ name: never, action: deny, on_deny: no }] }
  charge:
    rules:
      - name: cap
        conditions: [{ path: state.charge.spent, op: lt, value: 1000 }]
        state: { counter: spent, window: day, increment_from: args.amount }
  "*": { rules: [{ name: all, rate_limit: 60/minute }] }
`,
  'YAML as people leave it': `
version: 1
hide:
  # - transfer_repository
tools:
  create_issue: &issue
    rules:
      - { name: hourly, rate_limit: 5/hour, on_deny: "" }
  create_comment:
    <<: *issue
    description: as an issue
  delete_repository:
    rules:
      # - { name: never, action: deny }
  list_issues:
prompts:
`,
  'a snippet of a catalogue': `
tools:
  invoke_agent_runtime:
    rules:
      - action: allow
        rate_limit: { max: 10, window: 60 }
        validate: { required_args: true }
  delete_agent_runtime:
    rules: [{ action: deny, reason: Destructive }]
`,
  'PolicyLayer’s JSON': `{ "version": "1", "default": "deny", "hide": ["wipe"],
  "all_tools": { "limits": [] },
  "tools": { "list_x": {},
    "invoke_function": { "require": [{ "path": "args.reason", "op": "exists", "value": true }], "deny_if": [{ "path": "args.amount", "op": "gt", "value": 10000 }],
      "limits": [{ "counter": "rate", "window": "minute", "max": 10, "scope": "grant" }] } } }`,
  'our additions': `
version: "1"
default: deny
catalog: ["read_*", pay]
billable: [pay]
approve: [destructive, billable, "delete_*"]
hide_prompts: [secret]
hide_resources: ["file:///etc/*"]
approvals: { timeout: 90s, dedupe_window: 5m }
audit: required
redact: { kinds: { email: mask, ip: false }, patterns: [{ name: order, pattern: "ORD-[0-9]+" }], tools: ["pay*"] }
budgets:
  - { usd: 5, window: day }
  - { sessions: 20, window: 24h, on_deny: enough for today }
tools:
  "read_*": { rules: [{ validate: schema }] }
  pay:
    describe: "Billable: "
    rules:
      - any_of:
          - { path: args.currency, op: eq, value: usd }
          - all_of: [{ path: args.currency, op: eq, value: eur }, { path: args.amount, op: lt, value: 10 }]
      - { rate_limit: 20/90s, scope: global }
      - { spend: { per_call: 10, daily: 100 }, scope: grant }
      - { action: require_approval, approval_timeout: 30m, approval: call }
prompts: { "*": { rules: [] } }
resources: { "docs:*": { rules: [] } }
methods:
  sampling/createMessage: { rules: [{ action: deny, reason: no sampling }] }
runtimes:
  - { match: ["shop-*"], tools: { sell: { rules: [] } } }
callers:
  - { match: ["arn:aws:iam::*:role/Admin"], default: allow }
`,
};

export const INVALID: Readonly<Record<string, string>> = {
  'no version': 'default: deny\ntools: {}',
  'another version': 'version: "2"',
  'a version that is another number': 'version: 2',
  'an unknown field': 'version: "1"\ntolls: {}',
  'an unknown field of a rule': 'version: "1"\ntools: { a: { rules: [{ rate: 5/hour }] } }',
  'a name twice': 'version: "1"\nhide: [a, a]',
  'an empty name': 'version: "1"\nhide: [""]',
  'a rule without a test': 'version: "1"\ntools: { a: { rules: [{ name: r }] } }',
  'a deny with conditions':
    'version: "1"\ntools: { a: { rules: [{ action: deny, conditions: [{ path: args.x, op: eq, value: 1 }] }] } }',
  'a rate limit with state':
    'version: "1"\ntools: { a: { rules: [{ rate_limit: 5/hour, state: { counter: c, window: day } }] } }',
  'a rate limit that is none': 'version: "1"\ntools: { a: { rules: [{ rate_limit: lots }] } }',
  'a rate limit of zero': 'version: "1"\ntools: { a: { rules: [{ rate_limit: 0/hour }] } }',
  'a condition without a value':
    'version: "1"\ntools: { a: { rules: [{ conditions: [{ path: args.x, op: eq }] }] } }',
  'a condition with an unknown operator':
    'version: "1"\ntools: { a: { rules: [{ conditions: [{ path: args.x, op: like, value: 1 }] }] } }',
  'a list for a comparison':
    'version: "1"\ntools: { a: { rules: [{ conditions: [{ path: args.x, op: lt, value: [1] }] }] } }',
  'no list for "in"':
    'version: "1"\ntools: { a: { rules: [{ conditions: [{ path: args.x, op: in, value: x }] }] } }',
  'a path to nowhere':
    'version: "1"\ntools: { a: { rules: [{ conditions: [{ path: x, op: eq, value: 1 }] }] } }',
  'a comparison that is a group':
    'version: "1"\ntools: { a: { rules: [{ conditions: [{ path: args.x, op: eq, value: 1, any_of: [{ path: args.x, op: eq, value: 1 }] }] }] } }',
  'both increments':
    'version: "1"\ntools: { a: { rules: [{ state: { counter: c, window: day, increment: 1, increment_from: args.x } }] } }',
  'an approval that counts':
    'version: "1"\ntools: { a: { rules: [{ action: require_approval, rate_limit: 5/hour }] } }',
  'a timeout without an approval':
    'version: "1"\ntools: { a: { rules: [{ rate_limit: 5/hour, approval_timeout: 5m }] } }',
  'no default in the JSON form': '{ "version": "1", "tools": { "a": {} } }',
  'no default beside all_tools': '{ "version": "1", "all_tools": { "limits": [] } }',
  'a scope that nobody has':
    '{ "version": "1", "default": "deny", "tools": { "a": { "limits": [{ "counter": "c", "window": "day", "max": 1, "scope": "team" }] } } }',
  'a budget in both units': 'version: "1"\nbudgets: [{ usd: 1, sessions: 1, window: day }]',
  'a budget in none': 'version: "1"\nbudgets: [{ window: day }]',
  'an entry that objects pass over': 'version: "1"\ntools: { __proto__: { rules: [] } }',
  'a pattern by the name of a kind':
    'version: "1"\nredact: { patterns: [{ name: email, pattern: x }] }',
  'a section for nobody': 'version: "1"\ncallers: [{ match: [], default: allow }]',
  'a kind of data that nobody knows': 'version: "1"\nredact: { kinds: { shoe-size: true } }',
  'an audit that is a wish': 'version: "1"\naudit: please',
};
