import * as z from 'zod';
import { OPERATORS } from './policy.ts';
import { NAMED_WINDOWS, readDuration } from './windows.ts';

const DURATION = /^[1-9]\d{0,6}[smhd]$/;

const RATE = /^[1-9]\d{0,8}\/(second|minute|hour|day|week|month|[1-9]\d{0,6}[smhd])$/;

const CONDITION_PATH = /^((args|params)(\.[^.]+)+|state\.[^.]+(\.[^.]+)*\.[^.]+)$/;

const ARGUMENT_PATH = /^(args|params)(\.[^.]+)+$/;

const MAX_WINDOW_SECONDS = 31 * 86_400;

export const durationSchema = z
  .string()
  .regex(DURATION, 'expected a length of time such as 90s, 15m, 2h or 7d')
  .refine((text) => (readDuration(text) ?? 0) <= MAX_WINDOW_SECONDS * 1000, {
    message: 'at most 31d',
  })
  .meta({ description: 'A length of time such as 90s, 15m, 2h or 7d.' });

const WINDOW_EXPECTED =
  'expected minute, hour, day (of the calendar), or the last 90s, 15m, 2h, or seconds';

export const windowSchema = z
  .union(
    [
      z.enum(NAMED_WINDOWS),
      z.string().regex(DURATION, WINDOW_EXPECTED),
      z.number().int().min(1).max(MAX_WINDOW_SECONDS),
    ],
    { error: WINDOW_EXPECTED },
  )
  .meta({
    description: 'minute, hour, day, week or month of the calendar; 90s, 15m or seconds: the last.',
  });

const scopeSchema = z
  .enum(['session', 'grant', 'global'])
  .meta({ description: "Who shares the count: the agent's session, one identity, everybody." });

const namedCounter = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^.\s]+$/, 'a name without dots or spaces');

const argumentPath = z
  .string()
  .max(500)
  .regex(ARGUMENT_PATH, 'expected args.NAME, such as args.amount');

/** An empty sentence counts as absent. */
const sentence = z.string().max(2000);

const comparison = {
  path: z
    .string()
    .max(500)
    .regex(CONDITION_PATH, 'expected args.NAME, params.NAME or state.TOOL.COUNTER')
    .optional(),
  op: z.enum(OPERATORS).optional(),
  value: z.unknown().optional(),
  /** Message for the agent, in the lists `require` and `deny_if`. */
  on_deny: sentence.optional(),
  reason: sentence.optional(),
};

/** The value type of each operator: as JSON Schema, as text and as a test. */
const VALUES = [
  [['in', 'not_in'], { type: 'array' }, 'a list', Array.isArray],
  [['lt', 'lte', 'gt', 'gte'], { type: 'number' }, 'a number', Number.isFinite],
  [['regex'], { type: 'string' }, 'a regular expression', isString],
  [['exists'], { type: 'boolean' }, 'true or false', isBoolean],
] as const;

export const conditionSchema = z
  .strictObject({
    ...comparison,
    get any_of(): z.ZodOptional<z.ZodArray<z.ZodType<Condition>>> {
      return z.array(conditionSchema).min(1).max(1000).optional();
    },
    get all_of(): z.ZodOptional<z.ZodArray<z.ZodType<Condition>>> {
      return z.array(conditionSchema).min(1).max(1000).optional();
    },
  })
  .superRefine((condition, context) => {
    const groups = [condition.any_of, condition.all_of].filter(Boolean).length;
    if (groups > 1 || (groups === 1 && (condition.path ?? condition.op) !== undefined)) {
      context.addIssue('a condition is a comparison, or one of any_of and all_of');
    }
    if (groups > 0) {
      if ('value' in condition) context.addIssue('a group has no value of its own');
      return;
    }
    for (const key of ['path', 'op', 'value'] as const) {
      if (!(key in condition)) context.addIssue(`a condition needs "${key}"`);
    }
    const wanted = VALUES.find(([ops]) => (ops as readonly unknown[]).includes(condition.op));
    if (wanted && 'value' in condition && !wanted[3](condition.value)) {
      const message = `operator "${condition.op}" wants ${wanted[2]}`;
      context.addIssue({ code: 'custom', message, path: ['value'] });
    }
  })
  .meta({
    id: 'condition',
    description: 'A comparison of an argument or a counter, or a group of such.',
    oneOf: [
      {
        required: ['path', 'op', 'value'],
        not: { anyOf: [{ required: ['any_of'] }, { required: ['all_of'] }] },
      },
      ...['any_of', 'all_of'].map((group) => ({
        required: [group],
        not: { anyOf: ['path', 'op', 'value'].map((key) => ({ required: [key] })) },
      })),
    ],
    allOf: VALUES.map(([ops, value]) => ({
      if: { properties: { op: { enum: ops } }, required: ['op'] },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word
      then: { properties: { value } },
    })),
  });

/** Written out, because the type refers to itself. */
export interface Condition {
  readonly path?: string | undefined;
  readonly op?: (typeof OPERATORS)[number] | undefined;
  readonly value?: unknown;
  readonly on_deny?: string | undefined;
  readonly reason?: string | undefined;
  readonly any_of?: readonly Condition[] | undefined;
  readonly all_of?: readonly Condition[] | undefined;
}

const RATE_EXPECTED = 'expected N/minute, N/hour, N/day, N/90s, or { max: N, window: SECONDS }';

const rateSchema = z.union(
  [
    z.string().regex(RATE, RATE_EXPECTED),
    z.strictObject({ max: z.number().int().min(0), window: windowSchema }),
  ],
  { error: RATE_EXPECTED },
);

const stateSchema = z.strictObject({
  counter: namedCounter,
  window: windowSchema,
  increment: z.number().positive().optional(),
  increment_from: argumentPath.optional(),
});

const spendSchema = z
  .strictObject({
    per_call: z.number().nonnegative().optional(),
    daily: z.number().nonnegative().optional(),
    from: argumentPath.optional(),
  })
  .meta({
    description: 'The most that an argument (args.amount) may be for a call, and for a day.',
  });

/** A rule needs at least one of these to decide anything. */
const TESTS = ['conditions', 'any_of', 'rate_limit', 'state', 'validate', 'spend'] as const;

type Test = (typeof TESTS)[number];

/** The tests allowed for each action. */
const FITTING: Readonly<Record<string, readonly Test[]>> = {
  evaluate: TESTS,
  deny: [],
  allow: ['rate_limit', 'validate', 'spend'],
  require_approval: ['conditions', 'any_of'],
};

const LONELY: readonly Test[] = ['conditions', 'any_of', 'state'];

export const ruleSchema = z
  .strictObject({
    name: z.string().min(1).max(200).optional(),
    description: z.string().optional(),
    action: z.enum(['evaluate', 'deny', 'require_approval', 'allow']).optional(),
    conditions: z.array(conditionSchema).min(1).max(1000).optional(),
    any_of: z.array(conditionSchema).min(1).max(1000).optional(),
    rate_limit: rateSchema.optional(),
    state: stateSchema.optional(),
    validate: z
      .union(
        [
          z.literal('schema'),
          z.strictObject({
            required_args: z.boolean().optional(),
            schema: z.boolean().optional(),
          }),
        ],
        { error: 'expected schema, or { required_args: true }' },
      )
      .optional(),
    spend: spendSchema.optional(),
    scope: scopeSchema.optional(),
    on_deny: sentence.optional(),
    reason: sentence.optional(),
    approval_timeout: durationSchema.optional(),
    approval: z.enum(['call', 'session']).optional(),
  })
  .superRefine((rule, context) => {
    const action = rule.action ?? 'evaluate';
    const tests = TESTS.filter((test) => rule[test] !== undefined);
    for (const test of tests) {
      if (FITTING[action]?.includes(test)) continue;
      const message =
        action === 'deny' && LONELY.includes(test)
          ? 'deny rules have no conditions: write them the other way round under "evaluate", or use deny_if'
          : `"${test}" does not go together with action "${action}"`;
      context.addIssue({ code: 'custom', message, path: [test] });
    }
    if (action === 'evaluate' && tests.length === 0) {
      context.addIssue('a rule that evaluates needs at least one condition, limit or check');
    }
    if (rule.rate_limit !== undefined) {
      for (const test of LONELY) {
        if (rule[test] === undefined) continue;
        const message = `rate_limit cannot be combined with "${test}": write two rules`;
        context.addIssue({ code: 'custom', message, path: ['rate_limit'] });
      }
    }
    if (rule.state?.increment !== undefined && rule.state.increment_from !== undefined) {
      context.addIssue({
        code: 'custom',
        message: 'increment and increment_from exclude each other',
        path: ['state'],
      });
    }
    if (action !== 'require_approval') {
      for (const key of ['approval_timeout', 'approval'] as const) {
        if (rule[key] === undefined) continue;
        const message = `"${key}" belongs to action "require_approval"`;
        context.addIssue({ code: 'custom', message, path: [key] });
      }
    }
  })
  .meta({
    id: 'rule',
    description: 'All rules of a tool have to agree to a call.',
    allOf: [
      ...Object.entries(FITTING).map(([action, fitting]) => ({
        if: {
          properties: { action: { const: action } },
          ...(action !== 'evaluate' && { required: ['action'] }),
        },
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word
        then: {
          properties: Object.fromEntries(
            TESTS.filter((test) => !fitting.includes(test)).map((test) => [test, false]),
          ),
          ...(action === 'evaluate' && { anyOf: TESTS.map((test) => ({ required: [test] })) }),
        },
      })),
      {
        if: { required: ['rate_limit'] },
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word
        then: { properties: Object.fromEntries(LONELY.map((test) => [test, false])) },
      },
      {
        properties: { state: { not: { required: ['increment', 'increment_from'] } } },
      },
      {
        if: {
          not: { properties: { action: { const: 'require_approval' } }, required: ['action'] },
        },
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word
        then: { properties: { approval_timeout: false, approval: false } },
      },
    ],
  });

export type RuleInput = z.infer<typeof ruleSchema>;

export const limitSchema = z.strictObject({
  counter: namedCounter,
  window: windowSchema,
  max: z.number().nonnegative(),
  scope: scopeSchema.optional(),
  increment: z.number().positive().optional(),
  increment_from: argumentPath.optional(),
  on_deny: sentence.optional(),
  reason: sentence.optional(),
});

export type LimitInput = z.infer<typeof limitSchema>;

export type WindowInput = z.infer<typeof windowSchema>;

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}
