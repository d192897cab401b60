import { Client, type Tool } from '@modelcontextprotocol/client';
import { AgentCoreError, getErrorMessage } from '../error.ts';
import type { ProxyTransport } from './proxy-transport.ts';
import { createSampleObject } from './scripted-value.ts';
import {
  type ChosenCall,
  chooseToCall,
  chooseToShow,
  type NamedTool,
  type SampleBehavior,
} from './tool-choice.ts';

export type StepName = 'initialize' | 'list' | 'call' | SampleBehavior | 'stop';

export interface StepOutcome {
  readonly step: StepName;
  readonly status: 'ok' | 'failed' | 'skipped';
  /** Result, failure or reason for skipping, on one line. */
  readonly detail: string;
  readonly milliseconds: number;
}

interface SmokeTestOptions {
  readonly transport: ProxyTransport;
  readonly version: string;
  /** Required MCP revision. If absent, the handshake of revisions up to 2025-11-25. */
  readonly protocol: string | undefined;
  /** Limit for each step, in milliseconds. */
  readonly timeout: number;
  readonly call: NamedTool | undefined;
  readonly show: Readonly<Record<SampleBehavior, NamedTool | undefined>>;
  /** True if the session mode lets the session run on after the proxy ends. */
  readonly leavesSession: boolean;
}

/** Error code of MCP 2026-07-28 for an unsupported revision. */
const NO_SUCH_REVISION = -32022;

/** Maximum characters of a tool's output to show. */
const MAX_TEXT_LENGTH = 300;

/** Matches the error of `sessions/session-ending.ts`. */
const NOT_STOPPED = /Could not stop session.*/;

const SHOWN: Readonly<Record<SampleBehavior, string>> = {
  sample: 'asks the model',
  elicit: 'asks the user',
  progress: 'reports progress',
};

/** The reason for skipping a step. */
class Skip {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Runs every kind of client operation against a server once. */
export class SmokeTest {
  readonly #options: SmokeTestOptions;
  readonly #client: Client;
  /** Number of occurrences so far. */
  readonly #seen: Record<SampleBehavior, number> = { sample: 0, elicit: 0, progress: 0 };
  #tools: readonly Tool[] | undefined;

  constructor(options: SmokeTestOptions) {
    this.#options = options;
    this.#client = new Client(
      { name: 'agentcore-mcp-smoke', version: options.version },
      {
        capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} },
        ...(options.protocol && { versionNegotiation: { mode: { pin: options.protocol } } }),
      },
    );
    this.#answerTheServer();
  }

  /** Runs the steps. The last step always runs and stops the session of the first. */
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

  /** The proxy's exit has its own time limit, so `stop` gets none here. */
  async #within<T>(work: Promise<T>, step: StepName): Promise<T> {
    if (step === 'stop') return work;
    const { timeout } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new AgentCoreError('timeout', `No answer within ${timeout / 1000} s`)),
        timeout,
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #initialize(): Promise<string> {
    const { transport, timeout, protocol } = this.#options;
    const early = new Promise<never>((_, reject) => {
      transport.onclose = () => {
        // If the client gives up, it ends the proxy first and then throws the reason.
        if (transport.isEnding) return;
        const said = transport.stderr.trim();
        reject(new AgentCoreError('connection', said || 'The proxy ended'));
      };
    });
    try {
      await Promise.race([this.#client.connect(transport, { timeout }), early]);
    } catch (cause) {
      const isNewer = !protocol && (cause as { readonly code?: unknown }).code === NO_SUCH_REVISION;
      if (!isNewer) throw cause;
      const advice = 'the server speaks a newer MCP, so try --protocol 2026-07-28';
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
      return new Skip('no tool says that it only reads and needs no argument: name one by --tool');
    }
    return `${chosen.name}: ${await this.#call(chosen)}`;
  }

  async #show(what: SampleBehavior): Promise<string | Skip> {
    if (!this.#tools) return this.#withoutTools();
    const chosen = chooseToShow(what, this.#tools, this.#options.show[what]);
    if (!chosen) return new Skip(`no tool is known that ${SHOWN[what]}: name one by --${what}`);
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
    const { transport, leavesSession } = this.#options;
    await transport.end();
    const [notStopped] = NOT_STOPPED.exec(transport.stderr) ?? [];
    if (notStopped) throw new AgentCoreError('upstream', notStopped);
    return leavesSession
      ? 'the proxy has ended; its session goes on, as RUNTIME_SESSION_MODE says'
      : 'the proxy has stopped its session and ended';
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
  return `${things.length} ${noun}${things.length === 1 ? '' : 's'}${names && `: ${names}`}`;
}

function toSingleLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}…` : line;
}
