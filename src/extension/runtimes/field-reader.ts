/** A field of an object in the settings is invalid. */
export class InvalidField extends Error {
  override readonly name = 'InvalidField';
  /** The full path, for example `assumeRole.arn`. */
  readonly field: string | undefined;

  constructor(field: string | undefined, message: string) {
    super(message);
    this.field = field;
  }
}

/** Fields whose values are kept out of messages, because users paste messages into reports. */
const UNTOLD: ReadonlySet<string> = new Set(['externalId', 'command', 'tokenUrl']);

/** Reads an object of the settings field by field. {@link rejectOthers} rejects unknown fields. */
export class FieldReader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #prefix: string;
  readonly #known = new Set<string>();

  /** @throws {InvalidField} if `value` is not an object. */
  constructor(value: unknown, prefix = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new InvalidField(prefix.slice(0, -1) || undefined, 'must be an object with fields');
    }
    this.#object = value as Readonly<Record<string, unknown>>;
    this.#prefix = prefix;
  }

  /** An empty string counts as absent, because a form leaves unused fields empty. */
  text(field: string, pattern: RegExp, expected: string): string | undefined {
    const value = this.#take(field);
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw this.#wrong(field, value, expected);
  }

  required(field: string, pattern: RegExp, expected: string): string {
    const value = this.text(field, pattern, expected);
    if (value !== undefined) return value;
    throw new InvalidField(this.#prefix + field, `is missing: give ${expected}`);
  }

  readChoice<T extends string>(field: string, values: readonly T[]): T | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    const known = values.find((one) => one === value);
    if (known !== undefined) return known;
    throw this.#wrong(field, value, `one of ${values.join(', ')}`);
  }

  switch(field: string): boolean | undefined {
    const value = this.#take(field);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.#wrong(field, value, 'true or false');
  }

  number(field: string, least: number, most: number): number | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    throw this.#wrong(field, value, `a number from ${least} to ${most}`);
  }

  whole(field: string, least: number, most: number): number | undefined {
    const value = this.number(field, least, most);
    if (value === undefined || Number.isInteger(value)) return value;
    throw this.#wrong(field, value, `a whole number from ${least} to ${most}`);
  }

  /** An absolute HTTP or HTTPS URL. */
  url(field: string): string | undefined {
    const expected = 'a URL such as https://example.com';
    const value = this.text(field, /^https?:\/\//i, expected);
    if (value === undefined || URL.canParse(value)) return value;
    throw this.#wrong(field, value, expected);
  }

  /** A list of strings. A single string counts as a list of one. */
  list(field: string, pattern: RegExp, expected: string): readonly string[] {
    const value = this.#take(field);
    if (value === undefined || value === '') return [];
    const items = Array.isArray(value) ? value : [value];
    const wrong = items.find((item) => typeof item !== 'string' || !pattern.test(item));
    if (wrong === undefined) return items as readonly string[];
    throw this.#wrong(field, wrong, expected);
  }

  object(field: string): FieldReader | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    return new FieldReader(value, `${this.#prefix}${field}.`);
  }

  /** @throws {InvalidField} if there is an unknown field, because it would have no effect. */
  rejectOthers(): void {
    const other = Object.keys(this.#object).find((field) => !this.#known.has(field));
    if (other === undefined) return;
    const known = [...this.#known].join(', ');
    throw new InvalidField(this.#prefix + other, `is no field that exists; there are ${known}`);
  }

  #take(field: string): unknown {
    this.#known.add(field);
    const value = this.#object[field];
    return value === null ? undefined : value;
  }

  #wrong(field: string, value: unknown, expected: string): InvalidField {
    const shown = typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
    const what = UNTOLD.has(field) ? 'is not valid' : `is ${shown}`;
    return new InvalidField(this.#prefix + field, `${what}, expected ${expected}`);
  }
}
