import * as z from 'zod';
import { KIND_NAME, REDACTION_KINDS } from '../redaction/kinds.ts';
import {
  conditionSchema,
  durationSchema,
  limitSchema,
  ruleSchema,
  windowSchema,
} from './rule-schema.ts';

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

const conditions = z.array(conditionSchema).max(MAX_RULES);

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

/** In YAML, a key followed only by comments has the value null. */
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

/** A tool without `rules` belongs to the JSON format. This format requires `default`. */
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
    match: namesSchema.min(1, 'names nobody'),
    description: z.string().optional(),
    ...body,
  })
  .meta({ id: 'section' });

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

export const documentSchema = z
  .strictObject({
    $schema: z.string().optional(),
    // Without quotes, YAML reads a number. Intercept accepts it as well.
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
    // Catalog snippets contain only tools.
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

/** Excludes `UK`: it has a name but is an alias of `GB`, and no phone number uses it. */
function isCountry(code: string): boolean {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  return names.of(code) !== undefined && new Intl.Locale(`und-${code}`).region === code;
}

/** The JSON schema for editors, published as `schemas/policy.schema.json`. */
export function createPolicyJsonSchema(): object {
  return z.toJSONSchema(documentSchema, { target: 'draft-7', io: 'input' });
}
