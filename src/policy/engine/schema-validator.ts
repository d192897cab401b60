import { createContext, Script } from 'node:vm';
import type { Ajv, Options, ValidateFunction } from 'ajv';
import { RE2JS } from 're2js';
import { getErrorMessage } from '../../base/errors.ts';
import { isObject } from '../../mcp/message.ts';
import { toSkeleton } from '../documents/name-pattern.ts';

/** Maximum compiled schemas. Above the number of tools of any known server. */
const MAX_SCHEMAS = 1_000;

/** Maximum text length in characters for a pattern that needs the backtracking engine. */
const MAX_BACKTRACKED_LENGTH = 1_000;

/** Maximum duration of a match with the backtracking engine, in milliseconds. */
const MAX_BACKTRACKING = 500;

/** Runs a pattern in a script, because only a script has a timeout in Node. */
const SEARCH = new Script('compiled.test(text)');

/** Returns the mismatch of a value, as the end of a sentence. */
type Check = (value: unknown) => string | undefined;

/** Checks arguments against the input schemas of tools. Compiles each schema once. */
export class SchemaValidator {
  readonly #checks = new Map<unknown, Check>();
  #validators: { readonly old: Ajv; readonly present: Ajv } | undefined;

  /** Loads the JSON Schema library. Must complete before {@link fault} can check schemas. */
  async prepare(): Promise<void> {
    if (this.#validators) return;
    // Both modules are CommonJS. In a bundle, only their default export is available.
    const [{ default: old }, { default: present }] = await Promise.all([
      import('ajv'),
      import('ajv/dist/2020.js'),
    ]);
    this.#validators = {
      old: new old.Ajv(OPTIONS),
      present: new present.Ajv2020(OPTIONS) as unknown as Ajv,
    };
  }

  /**
   * Returns the mismatch of a tool's arguments as the end of a sentence; `undefined` if they fit.
   */
  fault(inputSchema: unknown, value: unknown, extent: 'schema' | 'required'): string | undefined {
    if (!isObject(inputSchema)) return 'the server announces no schema for it';
    if (extent === 'schema') return this.#compileSchema(inputSchema)(value);
    const required = Array.isArray(inputSchema.required) ? inputSchema.required : [];
    const missing = required.find((key) => !isObject(value) || !Object.hasOwn(value, String(key)));
    return missing === undefined ? undefined : `"${missing}" is missing`;
  }

  #compileSchema(schema: object): Check {
    const known = this.#checks.get(schema);
    if (known) return known;
    const check = this.#compile(schema);
    if (this.#checks.size >= MAX_SCHEMAS) this.#checks.clear();
    this.#checks.set(schema, check);
    return check;
  }

  #compile(schema: object): Check {
    if (!this.#validators) return () => 'the schema cannot be checked yet';
    const dialect = String((schema as { $schema?: unknown }).$schema ?? '');
    const isOld = /draft-0[67]/.test(dialect);
    const ajv = isOld ? this.#validators.old : this.#validators.present;
    let validate: ValidateFunction;
    try {
      // Remove `$id`: two tools may use the same id for different schemas. Remove `$schema`: other
      // dialects are treated as 2020-12.
      const { $id: _, $schema: __, ...plain } = schema as Record<string, unknown>;
      validate = ajv.compile(plain);
    } catch (thrown) {
      const reason = `the tool's own schema cannot be used (${getErrorMessage(thrown)})`;
      return () => reason;
    }
    return (value) => {
      if (validate(value)) {
        const odd = findUncheckedKey(schema, value);
        return odd === undefined
          ? undefined
          : `${JSON.stringify(odd.slice(0, 100))} is close to a property, but none`;
      }
      const [error] = validate.errors ?? [];
      const place = error?.instancePath ? `${error.instancePath.slice(1)} ` : '';
      return `${place}${error?.message ?? 'they do not fit'}`.slice(0, 300);
    };
  }
}

/**
 * Finds a key that resembles a property of the schema, for example in different case. A lenient
 * server may use its value, although the schema has not checked it.
 */
function findUncheckedKey(schema: unknown, value: unknown): string | undefined {
  if (!isObject(schema)) return undefined;
  if (Array.isArray(value)) return findFirstUncheckedKey(value.map((one) => [schema.items, one]));
  if (!isObject(value)) return undefined;
  const properties = isObject(schema.properties) ? schema.properties : {};
  const alike = new Set(Object.keys(properties).map(toSkeleton));
  const own = Object.entries(value);
  const odd = own.find(([key]) => !Object.hasOwn(properties, key) && alike.has(toSkeleton(key)));
  return odd?.[0] ?? findFirstUncheckedKey(own.map(([key, one]) => [properties[key], one]));
}

function findFirstUncheckedKey(
  pairs: readonly (readonly [unknown, unknown])[],
): string | undefined {
  for (const [schema, value] of pairs) {
    const odd = findUncheckedKey(schema, value);
    if (odd !== undefined) return odd;
  }
  return undefined;
}

const OPTIONS: Options = {
  strict: false,
  validateFormats: false,
  validateSchema: false,
  ownProperties: true,
  logger: false,
  code: { regExp: Object.assign(compileLinearPattern, { code: '' }) },
};

/**
 * Compiles a pattern with RE2, which takes linear time, if RE2 supports it. Other patterns run only
 * on short texts and with a timeout: backtracking could take forever, and other parties provide
 * pattern and text. A text that is not checked does not match.
 */
function compileLinearPattern(
  pattern: string,
  flags: string,
): { test(text: string): boolean } & RegExp {
  let test: (text: string) => boolean;
  try {
    const compiled = RE2JS.compile(pattern);
    test = (text) => compiled.matcher(text).find();
  } catch {
    const context = createContext({ compiled: new RegExp(pattern, flags), text: '' });
    test = (text) => {
      if (text.length > MAX_BACKTRACKED_LENGTH) return false;
      context.text = text;
      try {
        return SEARCH.runInContext(context, { timeout: MAX_BACKTRACKING }) as boolean;
      } catch {
        return false;
      }
    };
  }
  return { test } as RegExp;
}
