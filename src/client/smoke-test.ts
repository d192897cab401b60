import type { Tool } from '@modelcontextprotocol/client';
import { withTimeout } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { pluralize } from '../base/format.ts';
import { ProxyClient } from './proxy-client.ts';

// The smoke test: each kind of client operation against a server, with sample arguments from the
// tools' schemas.

export type StepName = 'initialize' | 'list' | 'call' | SampleBehavior | 'stop';

export interface StepOutcome {
  readonly step: StepName;
  readonly status: 'ok' | 'failed' | 'skipped';
  /** The result, the error or the reason for skipping, on one line. */
  readonly detail: string;
  readonly milliseconds: number;
}

interface SmokeTestOptions {
  /** The environment of the proxy. */
  readonly env: NodeJS.ProcessEnv;
  /** Required MCP revision. If absent, the revisions with a handshake, up to 2025-11-25. */
  readonly protocol: string | undefined;
  /** Timeout of each step in milliseconds. */
  readonly timeout: number;
  readonly call: NamedTool | undefined;
  readonly show: Readonly<Record<SampleBehavior, NamedTool | undefined>>;
  /** Whether the session continues after the exit of the proxy, because of the session mode. */
  readonly leavesSession: boolean;
}

/** Error code for an unsupported revision. Source: MCP 2026-07-28. */
const NO_SUCH_REVISION = -32022;

/** Maximum characters of a tool's output in the detail of a step. */
const MAX_TEXT_LENGTH = 300;

/** The warning of `sessions/session-manager.ts` if a session could not be stopped. */
const NOT_STOPPED = /Could not stop session.*/;

const SHOWN: Readonly<Record<SampleBehavior, string>> = {
  sample: 'asks the model',
  elicit: 'asks the user',
  progress: 'reports progress',
};

/** The result of a skipped step, with the reason. */
class Skip {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/**
 * Runs each kind of client operation once. The calls use tools of the server and sample arguments.
 */
export class SmokeTest {
  readonly #options: SmokeTestOptions;
  readonly #client: ProxyClient;
  /** Number of sampling requests, elicitations and progress notifications so far. */
  readonly #seen: Record<SampleBehavior, number> = { sample: 0, elicit: 0, progress: 0 };
  #tools: readonly Tool[] | undefined;

  constructor(options: SmokeTestOptions) {
    this.#options = options;
    this.#client = new ProxyClient({
      name: 'agentcore-mcp-smoke',
      env: options.env,
      capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} },
      ...(options.protocol && { versionNegotiation: { mode: { pin: options.protocol } } }),
    });
    this.#answerTheServer();
  }

  /** The last part of the proxy's stderr. */
  get stderr(): string {
    return this.#client.stderr;
  }

  /** Runs the steps. The last step always runs. It stops the session of the first one. */
  async *steps(): AsyncGenerator<StepOutcome> {
    const began = await this.#step('initialize', () => this.#initialize());
    yield began;
    const isUp = began.status === 'ok';
    const step = (name: StepName, work: () => Promise<string | Skip>) =>
      this.#step(name, isUp ? work : async () => new Skip('initialize failed'));
    yield await step('list', () => this.#list());
    yield await step('call', () => this.#callAny());
    for (const what of ['sample', 'elicit', 'progress'] as const) {
      yield await step(what, () => this.#show(what));
    }
    yield await this.#step('stop', () => this.#stop());
  }

  async #step(step: StepName, work: () => Promise<string | Skip>): Promise<StepOutcome> {
    const begun = performance.now();
    const outcome = (status: StepOutcome['status'], detail: string): StepOutcome => ({
      step,
      status,
      detail: toSingleLine(detail),
      milliseconds: Math.round(performance.now() - begun),
    });
    try {
      const result = await this.#within(work(), step);
      return result instanceof Skip ? outcome('skipped', result.reason) : outcome('ok', result);
    } catch (thrown) {
      return outcome('failed', getErrorMessage(thrown));
    }
  }

  /**
   * Rejects after the timeout. `stop` has none here, because {@link ProxyClient.end} has its own.
   */
  #within<T>(work: Promise<T>, step: StepName): Promise<T> {
    if (step === 'stop') return work;
    const { timeout } = this.#options;
    const reason = `No answer within ${timeout / 1000} s`;
    return withTimeout(work, timeout, () => new AgentCoreError('timeout', reason));
  }

  async #initialize(): Promise<string> {
    const { timeout, protocol } = this.#options;
    try {
      await this.#client.start({ timeout });
    } catch (cause) {
      const isNewer = !protocol && (cause as { readonly code?: unknown }).code === NO_SUCH_REVISION;
      if (!isNewer) throw cause;
      const advice = 'the server requires a newer MCP revision. Try --protocol 2026-07-28';
      throw new AgentCoreError('protocol', `${getErrorMessage(cause)}: ${advice}`, { cause });
    }
    const server = this.#client.getServerVersion();
    const agreed = this.#client.getNegotiatedProtocolVersion();
    return `${server ? `${server.name} ${server.version}` : 'a server without a name'}, MCP ${agreed}`;
  }

  async #list(): Promise<string | Skip> {
    const { tools, prompts, resources } = this.#client.getServerCapabilities() ?? {};
    const options = { timeout: this.#options.timeout };
    const found: string[] = [];
    if (tools) {
      this.#tools = (await this.#client.listTools(undefined, options)).tools;
      found.push(formatCountedNames(this.#tools, 'tool'));
    }
    if (prompts) {
      found.push(
        formatCountedNames((await this.#client.listPrompts(undefined, options)).prompts, 'prompt'),
      );
    }
    if (resources) {
      const listed = await this.#client.listResources(undefined, options);
      found.push(formatCountedNames(listed.resources, 'resource'));
    }
    if (found.length > 0) return found.join('; ');
    return new Skip('the server announces no tools, prompts or resources');
  }

  async #callAny(): Promise<string | Skip> {
    if (!this.#tools) return this.#withoutTools();
    const chosen = chooseToCall(this.#tools, this.#options.call);
    if (!chosen) {
      return new Skip('no tool is read-only without required arguments: name one with --tool');
    }
    return `${chosen.name}: ${await this.#call(chosen)}`;
  }

  async #show(what: SampleBehavior): Promise<string | Skip> {
    if (!this.#tools) return this.#withoutTools();
    const chosen = chooseToShow(what, this.#tools, this.#options.show[what]);
    if (!chosen) return new Skip(`no known tool ${SHOWN[what]}: name one with --${what}`);
    const before = this.#seen[what];
    const said = await this.#call(chosen);
    const times = this.#seen[what] - before;
    if (times > 0) return `${chosen.name} ${SHOWN[what]} (${times}): ${said}`;
    throw new AgentCoreError('protocol', `${chosen.name} answered, but nothing ${SHOWN[what]}`);
  }

  #withoutTools(): Skip {
    const hasTools = this.#client.getServerCapabilities()?.tools;
    return new Skip(hasTools ? 'the tools could not be listed' : 'the server announces no tools');
  }

  async #call({ name, args }: ChosenCall): Promise<string> {
    const { timeout } = this.#options;
    const { content = [], isError } = await this.#client.callTool(
      { name, arguments: args },
      { timeout, maxTotalTimeout: timeout, onprogress: () => void this.#seen.progress++ },
    );
    const [first] = content;
    const text = first?.type === 'text' ? first.text : (first?.type ?? 'no content');
    if (isError) throw new AgentCoreError('upstream', `${name} failed: ${text}`);
    return text;
  }

  async #stop(): Promise<string> {
    await this.#client.end();
    const [notStopped] = NOT_STOPPED.exec(this.stderr) ?? [];
    if (notStopped) throw new AgentCoreError('upstream', notStopped);
    return this.#options.leavesSession
      ? 'the proxy has exited; its session continues because of RUNTIME_SESSION_MODE'
      : 'the proxy has stopped its session and exited';
  }

  #answerTheServer(): void {
    this.#client.setRequestHandler('sampling/createMessage', () => {
      this.#seen.sample++;
      const content = { type: 'text' as const, text: 'A scripted answer of the smoke test.' };
      return { model: 'scripted', role: 'assistant' as const, stopReason: 'endTurn', content };
    });
    this.#client.setRequestHandler('elicitation/create', ({ params }) => {
      this.#seen.elicit++;
      if (!('requestedSchema' in params)) return { action: 'decline' as const };
      const content = createSampleObject(params.requestedSchema, 'all');
      return { action: 'accept' as const, content: content as Record<string, string> };
    });
    this.#client.setRequestHandler('roots/list', () => ({ roots: [] }));
  }
}

function formatCountedNames(things: readonly { readonly name: string }[], noun: string): string {
  const names = things.map(({ name }) => name).join(', ');
  return `${pluralize(things.length, noun)}${names && `: ${names}`}`;
}

function toSingleLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}…` : line;
}

/** The supported keywords of JSON Schema. */
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

/** Maximum depth of recursion. Real schemas are less deep. */
const MAX_LEVELS = 16;

/**
 * Creates an object with the required or all properties of a JSON Schema. Ignores patterns and
 * conditions, so a schema with them may reject the object.
 */
function createSampleObject(
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

/**
 * Creates a simple value for a schema: the default, the first allowed value, or the smallest value.
 */
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

/** A tool named by the user. Without `args`, sample arguments are used. */
export interface NamedTool {
  readonly name: string;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
}

/** The tool call of a step, with its arguments. */
interface ChosenCall {
  readonly name: string;
  readonly args: Record<string, unknown>;
}

/** The behavior of the server to demonstrate: sampling, elicitation or progress. */
type SampleBehavior = 'sample' | 'elicit' | 'progress';

/**
 * Default tools for each behavior, from the samples of this project. Names are compared without
 * case and separators. The help of the verb lists them.
 */
const KNOWN: Readonly<Record<SampleBehavior, readonly string[]>> = {
  sample: ['tellstory'],
  elicit: ['createprofile'],
  progress: ['countdown'],
};

/**
 * Chooses a call to demonstrate a behavior. `undefined` if the user named no tool and the server
 * has no default tool.
 *
 * @throws {AgentCoreError} `usage` if the named tool is not in the list.
 */
function chooseToShow(
  what: SampleBehavior,
  tools: readonly Tool[],
  named: NamedTool | undefined,
): ChosenCall | undefined {
  if (named) return createSampleCall(find(tools, named.name), named.args);
  const known = tools.find((tool) => isHarmless(tool) && isKnownName(tool.name, KNOWN[what]));
  return known && createSampleCall(known);
}

/**
 * Chooses a call of the named tool or, if there is none, of a read-only tool without required
 * arguments. `undefined` if there is neither.
 *
 * @throws {AgentCoreError} `usage` if the named tool is not in the list.
 */
function chooseToCall(
  tools: readonly Tool[],
  named: NamedTool | undefined,
): ChosenCall | undefined {
  if (named) return createSampleCall(find(tools, named.name), named.args);
  const known = tools.filter(
    ({ annotations, inputSchema }) =>
      annotations?.readOnlyHint === true && !inputSchema.required?.length,
  );
  const plain = known.find(({ name }) => !isKnownName(name, Object.values(KNOWN).flat()));
  const tool = plain ?? known[0];
  return tool && createSampleCall(tool);
}

function find(tools: readonly Tool[], name: string): Tool {
  const tool = tools.find((tool) => tool.name === name);
  if (tool) return tool;
  throw new AgentCoreError('usage', `The server has no tool "${name}"`);
}

function createSampleCall(tool: Tool, args?: Readonly<Record<string, unknown>>): ChosenCall {
  return {
    name: tool.name,
    args: { ...(args ?? createSampleObject(tool.inputSchema, 'required')) },
  };
}

/**
 * Whether the test may call the tool. It calls a tool with a destructive hint only if the user
 * named it.
 */
function isHarmless({ annotations }: Tool): boolean {
  return annotations?.readOnlyHint === true || annotations?.destructiveHint !== true;
}

function isKnownName(name: string, known: readonly string[]): boolean {
  return known.includes(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}
