import {
  ENDPOINT_NAME,
  EXTERNAL_ID,
  type GatewayArn,
  isGatewayArn,
  MFA_SERIAL,
  parseGatewayArn,
  parseRuntimeArn,
  ROLE_ARN,
  ROLE_SESSION_NAME,
  type RuntimeArn,
} from '../../aws/arn.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { canReceiveSecret } from '../../http/secure-url.ts';
import { SESSION_MODES, type SessionMode } from '../../sessions/runtime-session.ts';

// The setting `agentcore.runtimes`: its types and its parser.

/** The target of an MCP server: a runtime or gateway on AWS, or a runtime of a local AgentCore. */
type RuntimeTarget =
  | { readonly kind: 'runtime'; readonly runtime: RuntimeArn }
  | { readonly kind: 'gateway'; readonly gateway: GatewayArn }
  /** `config` is the path of the configuration file. Absent: the sample of the extension. */
  | { readonly kind: 'local'; readonly config: string | undefined; readonly runtime: string };

export interface EntryRole {
  /** The role chain, in the order of assumption. */
  readonly arns: readonly string[];
  readonly sessionName: string | undefined;
  readonly externalId: string | undefined;
  readonly mfaSerial: string | undefined;
  readonly sourceIdentity: string | undefined;
}

/**
 * How callers of the runtime or gateway authenticate. For OAuth, the client secret is stored
 * separately.
 */
export type EntryAuthorization =
  | { readonly kind: 'iam' }
  | { readonly kind: 'none' }
  | { readonly kind: 'tokenCommand'; readonly command: string }
  | {
      readonly kind: 'oauth';
      readonly clientId: string;
      readonly tokenUrl: string | undefined;
      readonly scopes: readonly string[];
      readonly audience: string | undefined;
    };

/** One entry of the setting `agentcore.runtimes`, which defines one MCP server. */
export interface RuntimeEntry {
  /** Unique. Also the label of the MCP server. */
  readonly name: string;
  readonly target: RuntimeTarget;
  readonly qualifier: string | undefined;
  readonly profile: string | undefined;
  readonly role: EntryRole | undefined;
  readonly authorization: EntryAuthorization;
  readonly sessionMode: SessionMode;
  readonly stopOnExit: boolean | undefined;
  /** Seconds. */
  readonly readTimeout: number | undefined;
  /** Seconds. */
  readonly connectTimeout: number | undefined;
  /** Seconds of silence until the proxy reports progress for a call. */
  readonly keepAlive: number | undefined;
  readonly retries: number | undefined;
  /** Path of a policy document. */
  readonly policy: string | undefined;
  /** Replaces the base URL of the region. */
  readonly endpointUrl: string | undefined;
}

/** An error in an entry of the setting. */
export interface EntryProblem {
  readonly index: number;
  /**
   * The name of the entry. Absent if it has none. If the setting is not a list, the name of the
   * setting.
   */
  readonly name: string | undefined;
  /** The path of the invalid field, if one field is the cause. */
  readonly field: string | undefined;
  /** The field and the error, without the entry. */
  readonly reason: string;
  readonly sentence: string;
}

export interface ReadEntries {
  readonly entries: readonly RuntimeEntry[];
  readonly problems: readonly EntryProblem[];
}

/** Name of the only runtime in the sample configuration. */
export const SAMPLE_RUNTIME = 'sample';

/**
 * The label of the server, and a part of its id in VS Code. It has no space at either end, because
 * the space would be invisible.
 */
const SERVER_NAME = /^(?!\s)[^\p{Cc}]{1,64}(?<!\s)$/u;

const NAME = /^[^\p{Cc}]{1,64}$/u;

/**
 * Parses the value of `agentcore.runtimes`. An invalid entry becomes a problem, and the other
 * entries remain valid.
 */
export function readEntries(value: unknown): ReadEntries {
  if (value === undefined || value === null) return { entries: [], problems: [] };
  if (!Array.isArray(value)) {
    const reason = 'must be a list of runtimes, as in [{ "name": …, "arn": … }]';
    const name = 'agentcore.runtimes';
    const problem = { index: 0, name, field: undefined, reason, sentence: `${name} ${reason}` };
    return { entries: [], problems: [problem] };
  }
  const entries: RuntimeEntry[] = [];
  const problems: EntryProblem[] = [];
  const names = new Set<string>();
  value.forEach((item: unknown, index) => {
    try {
      const entry = readEntry(item);
      if (names.has(entry.name.toLowerCase())) {
        throw new InvalidField('name', `"${entry.name}" is the name of another runtime too`);
      }
      names.add(entry.name.toLowerCase());
      entries.push(entry);
    } catch (thrown) {
      problems.push(toEntryProblem(thrown, item, index));
    }
  });
  return { entries, problems };
}

/**
 * Parses one entry.
 *
 * @throws {InvalidField} if a field is missing, invalid or unknown.
 */
export function readEntry(item: unknown): RuntimeEntry {
  const fields = new FieldReader(item);
  const name = fields.required('name', SERVER_NAME, 'up to 64 characters, no blank at either end');
  const target = readTarget(fields);
  const entry: RuntimeEntry = {
    name,
    target,
    qualifier: fields.text('qualifier', ENDPOINT_NAME, 'the name of an endpoint, such as DEFAULT'),
    profile: fields.text('profile', NAME, 'the name of an AWS profile'),
    role: readRole(fields),
    authorization: readAuthorization(fields),
    sessionMode: fields.readChoice('sessionMode', SESSION_MODES) ?? 'session',
    stopOnExit: fields.switch('stopOnExit'),
    readTimeout: fields.number('readTimeout', 1, 86_400),
    connectTimeout: fields.number('connectTimeout', 1, 600),
    keepAlive: fields.number('keepAlive', 1, 3_600),
    retries: fields.whole('retries', 0, 10),
    policy: fields.text('policy', /\S/, 'the path of a policy document'),
    endpointUrl:
      fields.url('endpointUrl') ??
      (target.kind === 'runtime' ? target.runtime.dataPlane : undefined),
  };
  fields.rejectOthers();
  rejectInvalidCombinations(entry);
  return entry;
}

/**
 * Rejects combinations of fields that are valid alone but not together.
 *
 * @throws {InvalidField}
 */
function rejectInvalidCombinations({ target, authorization, sessionMode }: RuntimeEntry): void {
  if (target.kind === 'gateway' && sessionMode === 'identity') {
    const why = 'is "identity", but a gateway has no sessions to share: use session or request';
    throw new InvalidField('sessionMode', why);
  }
  if (target.kind !== 'gateway' && authorization.kind === 'none') {
    const why = 'is "none", but a runtime requires authorization: use iam, oauth or tokenCommand';
    throw new InvalidField('authorization.type', why);
  }
}

function readTarget(fields: FieldReader): RuntimeTarget {
  const arn = fields.text('arn', /\S/, 'the ARN of a runtime or a gateway');
  const local = fields.object('local');
  if (arn !== undefined && local)
    throw new InvalidField('local', 'an entry has arn or local, not both');
  if (local) {
    const config = local.text('config', /\S/, 'the path of a configuration file');
    const runtime = local.text('runtime', NAME, 'the name of a runtime in that file');
    local.rejectOthers();
    if (config !== undefined && runtime === undefined) {
      throw new InvalidField('local.runtime', 'is missing: name a runtime of that file');
    }
    return { kind: 'local', config, runtime: runtime ?? SAMPLE_RUNTIME };
  }
  if (arn === undefined) {
    throw new InvalidField('arn', 'is missing: enter the ARN of the runtime, or set it up again');
  }
  try {
    return isGatewayArn(arn)
      ? { kind: 'gateway', gateway: parseGatewayArn(arn) }
      : { kind: 'runtime', runtime: parseRuntimeArn(arn) };
  } catch (thrown) {
    // The message starts with "Not the ARN".
    const sentence = getErrorMessage(thrown);
    throw new InvalidField('arn', `is ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`);
  }
}

function readRole(fields: FieldReader): EntryRole | undefined {
  const role = fields.object('assumeRole');
  if (!role) return undefined;
  const arns = role.list(
    'arn',
    ROLE_ARN,
    'arn:aws:iam::ACCOUNT:role/NAME, or a list to assume in turn',
  );
  if (arns.length === 0) throw new InvalidField('assumeRole.arn', 'is missing: name the role');
  const read = {
    arns,
    sessionName: role.text('sessionName', ROLE_SESSION_NAME, '2 to 64 letters, digits and +=,.@_-'),
    externalId: role.text('externalId', EXTERNAL_ID, 'letters, digits and +=,.@:/_-'),
    mfaSerial: role.text('mfaSerial', MFA_SERIAL, 'the ARN of an MFA device'),
    sourceIdentity: role.text(
      'sourceIdentity',
      ROLE_SESSION_NAME,
      '2 to 64 letters, digits and +=,.@_-',
    ),
  };
  role.rejectOthers();
  return read;
}

function readAuthorization(fields: FieldReader): EntryAuthorization {
  const given = fields.object('authorization');
  if (!given) return { kind: 'iam' };
  const kind = given.readChoice('type', ['iam', 'oauth', 'tokenCommand', 'none'] as const) ?? 'iam';
  const read = (): EntryAuthorization => {
    switch (kind) {
      case 'iam':
      case 'none':
        return { kind };
      case 'tokenCommand':
        return { kind, command: given.required('command', /\S/, 'a command that prints a token') };
      case 'oauth':
        return {
          kind,
          clientId: given.required('clientId', /\S/, 'the OAuth client id'),
          tokenUrl: readTokenUrl(given),
          scopes: given.list('scopes', /^\S+$/, 'a list of scopes'),
          audience: given.text('audience', /\S/, 'the audience of the token'),
        };
    }
  };
  const authorization = read();
  given.rejectOthers();
  return authorization;
}

/** The URL must be secure, because the proxy sends the client secret to it. */
function readTokenUrl(given: FieldReader): string | undefined {
  const text = given.url('tokenUrl');
  if (text === undefined || canReceiveSecret(new URL(text))) return text;
  const expected =
    'an https URL without user information, such as https://example.com/oauth2/token';
  throw new InvalidField('authorization.tokenUrl', `is not valid, expected ${expected}`);
}

function toEntryProblem(thrown: unknown, item: unknown, index: number): EntryProblem {
  const written = (item as { readonly name?: unknown } | null)?.name;
  const name = typeof written === 'string' && written.trim() ? written.trim() : undefined;
  const which = name === undefined ? `number ${index + 1}` : `"${name}"`;
  const field = thrown instanceof InvalidField ? thrown.field : undefined;
  const reason = `${field ? `${field} ` : ''}${getErrorMessage(thrown)}`;
  const sentence = `Runtime ${which} in agentcore.runtimes: ${reason}`;
  return { index, name, field, reason, sentence };
}

/** Thrown if a field of an object in the settings is invalid. */
class InvalidField extends Error {
  override readonly name = 'InvalidField';
  /** The full path, for example `assumeRole.arn`. */
  readonly field: string | undefined;

  constructor(field: string | undefined, message: string) {
    super(message);
    this.field = field;
  }
}

/**
 * Fields whose values are omitted from messages. They can be confidential, and users paste messages
 * into reports.
 */
const CONFIDENTIAL_FIELDS: ReadonlySet<string> = new Set(['externalId', 'command', 'tokenUrl']);

/**
 * Reads the fields of an object in the settings. {@link rejectOthers} then rejects unknown fields.
 */
class FieldReader {
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

  /**
   * Reads a string. An empty string counts as absent, because the settings editor leaves unused
   * fields empty.
   */
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

  /** Reads an absolute HTTP or HTTPS URL. */
  url(field: string): string | undefined {
    const expected = 'a URL such as https://example.com';
    const value = this.text(field, /^https?:\/\//i, expected);
    if (value === undefined || URL.canParse(value)) return value;
    throw this.#wrong(field, value, expected);
  }

  /** Reads a list of strings. A single string counts as a list of one. */
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

  /**
   * Rejects unknown fields, because they would have no effect.
   *
   * @throws {InvalidField}
   */
  rejectOthers(): void {
    const other = Object.keys(this.#object).find((field) => !this.#known.has(field));
    if (other === undefined) return;
    const known = [...this.#known].join(', ');
    throw new InvalidField(this.#prefix + other, `is not a known field; known fields: ${known}`);
  }

  #take(field: string): unknown {
    this.#known.add(field);
    const value = this.#object[field];
    return value === null ? undefined : value;
  }

  #wrong(field: string, value: unknown, expected: string): InvalidField {
    const shown = typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
    const what = CONFIDENTIAL_FIELDS.has(field) ? 'is not valid' : `is ${shown}`;
    return new InvalidField(this.#prefix + field, `${what}, expected ${expected}`);
  }
}
