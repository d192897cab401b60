/** Supported part of JSON Schema. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

const WORD = 'smoke';

const FORMATS: Readonly<Record<string, string>> = {
  email: 'smoke@example.com',
  uri: 'https://example.com/',
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
};

/** Bound on recursion. Real schemas are less deep. */
const MAX_LEVELS = 16;

/**
 * An object with the required properties of a JSON Schema, or with all of them. Patterns and
 * conditions are ignored, so a schema with them may reject the object.
 */
export function createSampleObject(
  schema: object,
  which: 'required' | 'all',
  levels = MAX_LEVELS,
): Record<string, unknown> {
  const { properties = {}, required = [] } = schema as Schema;
  const names = which === 'all' ? Object.keys(properties) : required;
  return Object.fromEntries(
    names.map((name) => [name, createSampleValue(properties[name] ?? {}, levels)]),
  );
}

/** A simple value for a schema: the default, the first allowed value, or the smallest value. */
function createSampleValue(schema: Schema, levels: number): unknown {
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  const [choice] = schema.oneOf ?? schema.anyOf ?? [];
  if (choice && levels > 0) return createSampleValue(choice, levels - 1);
  switch (typeof schema.type === 'string' ? schema.type : schema.type?.[0]) {
    case 'string':
      return createSampleText(schema);
    case 'integer':
    case 'number':
      return createSampleNumber(schema);
    case 'boolean':
      return true;
    case 'array':
      return levels > 0
        ? Array.from({ length: Math.min(schema.minItems ?? 0, 100) }, () =>
            createSampleValue(schema.items ?? {}, levels - 1),
          )
        : [];
    case 'null':
      return null;
    default:
      return levels > 0 ? createSampleObject(schema, 'required', levels - 1) : {};
  }
}

function createSampleText({ format = '', minLength = 0, maxLength = 1000 }: Schema): string {
  const text = FORMATS[format] ?? WORD;
  return text.padEnd(Math.min(minLength, 1000), '-').slice(0, Math.max(maxLength, 0));
}

function createSampleNumber({ type, minimum, exclusiveMinimum, maximum }: Schema): number {
  const least = Math.max(minimum ?? Number.NEGATIVE_INFINITY, (exclusiveMinimum ?? -1e300) + 1, 1);
  const value = Math.min(least, maximum ?? Number.POSITIVE_INFINITY);
  return type === 'integer' ? Math.ceil(value) : value;
}
