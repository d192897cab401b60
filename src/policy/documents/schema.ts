import * as z from 'zod';
import { KIND_NAME, REDACTION_KINDS } from '../../redaction/rules.ts';
import { NAMED_WINDOWS, readDuration } from './windows.ts';

const OPERATORS = [
  'eq',
  'neq',
  'in',
  'not_in',
  'lt',
  'lte',
  'gt',
  'gte',
  'regex',
  'contains',
  'exists',
] as const;

/** A comparison operator of a condition. */
export type Operator = (typeof OPERATORS)[number];

const MAX_ENTRIES = 10_000;

const MAX_RULES = 1_000;

const nameSchema = z.string().min(1, 'an entry must not be empty').max(2048);

const namesSchema = z
  .array(nameSchema)
  .max(MAX_ENTRIES)
  .superRefine((names, context) => {
    names.forEach((name, index) => {
      if (names.indexOf(name) === index) return;
      context.addIssue({ code: 'custom', message: `duplicate entry "${name}"`, path: [index] });
    });
  })
  .meta({ uniqueItems: true });

const CONDITION_PATH = /^((args|params)(\.[^.]+)+|state\.[^.]+(\.[^.]+)*\.[^.]+)$/;

/** A message for the agent. An empty one counts as absent. */
const sentence = z.string().max(2000);

const comparison = {
  path: z
    .string()
    .max(500)
    .regex(CONDITION_PATH, 'expected args.NAME, params.NAME or state.TOOL.COUNTER')
    .optional(),
  op: z.enum(OPERATORS).optional(),
  value: z.unknown().optional(),
  /** Message for the agent. For the lists `require` and `deny_if`. */
  on_deny: sentence.optional(),
  reason: sentence.optional(),
};

/** The type of a value by operator: as JSON Schema, as text, and as a test. */
const VALUES = [
  [['in', 'not_in'], { type: 'array' }, 'a list', Array.isArray],
  [['lt', 'lte', 'gt', 'gte'], { type: 'number' }, 'a number', Number.isFinite],
  [['regex'], { type: 'string' }, 'a regular expression', isString],
  [['exists'], { type: 'boolean' }, 'true or false', isBoolean],
] as const;

const conditionSchema = z
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

const conditions = z.array(conditionSchema).max(MAX_RULES);

const RATE = /^[1-9]\d{0,8}\/(second|minute|hour|day|week|month|[1-9]\d{0,6}[smhd])$/;

const RATE_EXPECTED = 'expected N/minute, N/hour, N/day, N/90s, or { max: N, window: SECONDS }';

const DURATION = /^[1-9]\d{0,6}[smhd]$/;

const WINDOW_EXPECTED =
  'expected minute, hour, day (of the calendar), or the last 90s, 15m, 2h, or seconds';

const MAX_WINDOW_SECONDS = 31 * 86_400;

const windowSchema = z
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

const rateSchema = z.union(
  [
    z.string().regex(RATE, RATE_EXPECTED),
    z.strictObject({ max: z.number().int().min(0), window: windowSchema }),
  ],
  { error: RATE_EXPECTED },
);

const namedCounter = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^.\s]+$/, 'a name without dots or spaces');

const ARGUMENT_PATH = /^(args|params)(\.[^.]+)+$/;

const argumentPath = z
  .string()
  .max(500)
  .regex(ARGUMENT_PATH, 'expected args.NAME, such as args.amount');

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

const scopeSchema = z
  .enum(['session', 'grant', 'global'])
  .meta({ description: "Who shares the count: the agent's session, one identity, everybody." });

const durationSchema = z
  .string()
  .regex(DURATION, 'expected a length of time such as 90s, 15m, 2h or 7d')
  .refine((text) => (readDuration(text) ?? 0) <= MAX_WINDOW_SECONDS * 1000, {
    message: 'at most 31d',
  })
  .meta({ description: 'A length of time such as 90s, 15m, 2h or 7d.' });

/** Members of a rule that decide. With the action `evaluate`, a rule needs at least one. */
const TESTS = ['conditions', 'any_of', 'rate_limit', 'state', 'validate', 'spend'] as const;

/** The allowed members of {@link TESTS} by action. */
const FITTING: Readonly<Record<string, readonly Test[]>> = {
  evaluate: TESTS,
  deny: [],
  allow: ['rate_limit', 'validate', 'spend'],
  require_approval: ['conditions', 'any_of'],
};

const LONELY: readonly Test[] = ['conditions', 'any_of', 'state'];

const ruleSchema = z
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

const limitSchema = z.strictObject({
  counter: namedCounter,
  window: windowSchema,
  max: z.number().nonnegative(),
  scope: scopeSchema.optional(),
  increment: z.number().positive().optional(),
  increment_from: argumentPath.optional(),
  on_deny: sentence.optional(),
  reason: sentence.optional(),
});

const entrySchema = z
  .strictObject({
    description: z.string().optional(),
    rules: z.array(ruleSchema).max(MAX_RULES).nullish(),
    require: conditions.optional().meta({ description: 'All of them have to hold.' }),
    deny_if: conditions.optional().meta({ description: 'None of them may hold.' }),
    limits: z.array(limitSchema).max(MAX_RULES).optional(),
    describe: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .meta({ description: 'Put in front of the description in lists, such as "Billable: ".' }),
  })
  .meta({ id: 'entry' });

export type EntryInput = z.infer<typeof entrySchema>;

/** Entries by name. `null` is allowed: in YAML, a key without a value is null. */
const entriesSchema = z
  .record(nameSchema.regex(/^(?!__proto__$)/), entrySchema.nullable())
  .nullish();

const budgetSchema = z
  .strictObject({
    usd: z.number().nonnegative().optional(),
    sessions: z.number().int().nonnegative().optional(),
    window: windowSchema,
    on_deny: z.string().min(1).max(2000).optional(),
  })
  .superRefine((budget, context) => {
    if ((budget.usd === undefined) !== (budget.sessions === undefined)) return;
    context.addIssue('a budget is either in "usd" or in "sessions"');
  })
  .meta({
    id: 'budget',
    description: 'What runtime sessions may cost at the most, or how many may begin.',
    oneOf: [{ required: ['usd'] }, { required: ['sessions'] }],
  });

const body = {
  default: z
    .enum(['allow', 'deny'])
    .optional()
    .meta({ description: 'What becomes of tools that are not listed. Standard: allow.' }),
  hide: namesSchema.nullish().meta({ description: 'Tools that are neither listed nor callable.' }),
  hide_prompts: namesSchema.nullish(),
  hide_resources: namesSchema.nullish().meta({ description: 'By URI.' }),
  catalog: namesSchema.optional().meta({ description: 'The tools that there are at all.' }),
  billable: namesSchema.optional().meta({ description: 'Listed with "Billable:" in front.' }),
  approve: namesSchema
    .optional()
    .meta({ description: 'destructive, write, billable, or names: a person has to agree.' }),
  tools: entriesSchema,
  all_tools: entrySchema.optional().meta({ description: 'As the tool "*".' }),
  prompts: entriesSchema,
  resources: entriesSchema.meta({ description: 'By URI.' }),
  methods: entriesSchema.meta({ description: 'By method, of client and server.' }),
  budgets: z.array(budgetSchema).max(100).optional(),
};

/**
 * Requires `default` in the JSON format: a document with `all_tools`, or with a tool that has
 * neither `rules` nor `describe`.
 */
const DEFAULT_NEEDED = {
  anyOf: [
    { required: ['default'] },
    {
      properties: {
        all_tools: false,
        tools: {
          additionalProperties: {
            anyOf: [{ required: ['rules'] }, { required: ['describe'] }, { type: 'null' }],
          },
        },
      },
    },
  ],
};

const sectionSchema = z
  .strictObject({
    match: namesSchema.min(1, 'needs at least one name'),
    description: z.string().optional(),
    ...body,
  })
  .meta({ id: 'section' });

/** The members that a document and its sections have in common. */
export type BodyInput = Omit<z.infer<typeof sectionSchema>, 'match' | 'description'>;

const modeSchema = z.enum(['mask', 'hash', 'tokenize']);

const redactSchema = z
  .strictObject({
    kinds: z
      .partialRecord(
        z.enum(REDACTION_KINDS),
        z.union([z.boolean(), modeSchema], {
          error: 'expected true, false, mask, hash or tokenize',
        }),
      )
      .optional(),
    patterns: z
      .array(
        z.strictObject({
          name: z
            .string()
            .regex(KIND_NAME, 'expected a name such as order-number')
            .refine((name) => !REDACTION_KINDS.some((kind) => kind === name), {
              message: 'is the name of a kind that is found anyway',
            })
            .meta({ not: { enum: REDACTION_KINDS } }),
          pattern: z.string().min(1).max(1000),
          ignoreCase: z.boolean().optional(),
          mode: modeSchema.optional(),
        }),
      )
      .max(100)
      .optional(),
    mode: modeSchema.optional(),
    directions: z.array(z.enum(['arguments', 'results'])).optional(),
    tools: namesSchema.optional(),
    countries: z
      .array(
        z
          .string()
          .regex(/^[A-Z]{2}$/, 'expected a code such as DE')
          .refine(isCountry, { message: 'is the code of no country (ISO 3166), such as GB' }),
      )
      .optional(),
  })
  .meta({ id: 'redact', description: 'Personal data and secrets that are replaced on the way.' });

/** The section `redact` of a document. */
export type RedactInput = z.infer<typeof redactSchema>;

/** The schema of a policy document. The parser and the JSON schema for editors use it. */
export const documentSchema = z
  .strictObject({
    $schema: z.string().optional(),
    // Accept a number: YAML reads one without quotes. Intercept accepts it too.
    version: z.literal(['1', 1], { error: 'version must be "1"' }).optional(),
    description: z.string().optional(),
    ...body,
    runtimes: z
      .array(sectionSchema)
      .max(1000)
      .optional()
      .meta({ description: 'Additions for runtimes, by ARN or name.' }),
    callers: z
      .array(sectionSchema)
      .max(1000)
      .optional()
      .meta({ description: 'Additions for callers, by the ARN of their identity.' }),
    approvals: z
      .strictObject({
        timeout: durationSchema.optional(),
        dedupe_window: durationSchema.optional(),
      })
      .optional(),
    audit: z
      .enum(['required', 'optional'])
      .optional()
      .meta({ description: 'required: a call that cannot be put on record is refused.' }),
    redact: redactSchema.optional(),
  })
  .superRefine((document, context) => {
    const keys = Object.keys(document).filter((key) => key !== '$schema');
    // A catalog snippet contains only tools and needs no version.
    if (document.version === undefined && keys.join() !== 'tools') {
      context.addIssue({ code: 'custom', message: 'version must be "1"', path: ['version'] });
    }
    const isJsonForm =
      document.all_tools !== undefined ||
      Object.values(document.tools ?? {}).some(
        (entry) => entry && entry.rules === undefined && !entry.describe,
      );
    if (isJsonForm && document.default === undefined) {
      const message = 'is required where a tool has no "rules": allow or deny what is not listed';
      context.addIssue({ code: 'custom', message, path: ['default'] });
    }
  })
  .meta({
    title: 'Policy of agentcore-mcp',
    description: 'What agents may do with the MCP servers behind agentcore-mcp.',
    allOf: [
      {
        anyOf: [
          { required: ['version'] },
          { required: ['tools'], propertyNames: { enum: ['tools', '$schema'] } },
        ],
      },
      DEFAULT_NEEDED,
    ],
  });

export type DocumentInput = z.infer<typeof documentSchema>;

/** True for a country code of ISO 3166. Excludes `UK`, which is an alias of `GB`. */
function isCountry(code: string): boolean {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  return names.of(code) !== undefined && new Intl.Locale(`und-${code}`).region === code;
}

/** Creates the JSON schema for editors, published as `schemas/policy.schema.json`. */
export function createPolicyJsonSchema(): object {
  return z.toJSONSchema(documentSchema, { target: 'draft-7', io: 'input' });
}

/** A condition in a document. Declared explicitly, because the type refers to itself. */
export interface Condition {
  readonly path?: string | undefined;
  readonly op?: (typeof OPERATORS)[number] | undefined;
  readonly value?: unknown;
  readonly on_deny?: string | undefined;
  readonly reason?: string | undefined;
  readonly any_of?: readonly Condition[] | undefined;
  readonly all_of?: readonly Condition[] | undefined;
}

type Test = (typeof TESTS)[number];

export type RuleInput = z.infer<typeof ruleSchema>;

export type LimitInput = z.infer<typeof limitSchema>;

export type WindowInput = z.infer<typeof windowSchema>;

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}
