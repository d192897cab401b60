import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

interface Runtime {
  readonly name: string;
  readonly arn: string;
}

/** What `agentcore-mcp local --json` says, a line each, as far as it is needed here. */
interface LocalLine {
  readonly event: string;
  readonly url: string;
  readonly env: Record<string, string>;
  readonly runtimes: readonly Runtime[];
  readonly change?: string;
  readonly session?: { readonly runtimeSessionId: string; readonly why?: string };
}

/** A local AgentCore in a process of its own, as a user starts one. */
export class LocalProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<LocalLine>;
  readonly #more: Readonly<Record<string, string>>;
  /** Sessions that have ended: their ids, by why they did. */
  readonly #ended: { readonly id: string; readonly why: string | undefined }[] = [];
  #ready: LocalLine | undefined;

  private constructor(
    child: ChildProcess,
    lines: AsyncIterator<LocalLine>,
    more: Readonly<Record<string, string>>,
  ) {
    this.#child = child;
    this.#lines = lines;
    this.#more = more;
  }

  /** @param more Variables that its clients need besides its own. */
  static async start(
    config: string,
    more: Readonly<Record<string, string>>,
  ): Promise<LocalProcess> {
    const args = ['dist/cli.js', 'local', '--config', config, '--port', '0', '--json'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const local = new LocalProcess(child, linesOf(child.stdout), more);
    local.#ready = await local.#next();
    if (!local.#ready) throw new Error(`The local AgentCore did not start: ${stderr}`);
    return local;
  }

  get url(): string {
    return this.#ready?.url ?? '';
  }

  /** The environment of a client. */
  get env(): Record<string, string> {
    return { ...this.#ready?.env, ...this.#more };
  }

  runtime(name: string): Runtime {
    const runtime = this.#ready?.runtimes.find((runtime) => runtime.name === name);
    if (!runtime) throw new Error(`No runtime "${name}" is served`);
    return runtime;
  }

  /** Resolves with the ids of the sessions that ended for a reason, once there are that many. */
  async sessionsEnded(why: string, count: number): Promise<readonly string[]> {
    for (;;) {
      const ids = this.#ended.filter((session) => session.why === why).map(({ id }) => id);
      if (ids.length >= count) return ids;
      const line = await this.#next();
      if (!line) throw new Error('The local AgentCore ended too early');
      const { event, change, session } = line;
      if (event !== 'session' || change !== 'stopped' || !session) continue;
      this.#ended.push({ id: session.runtimeSessionId, why: session.why });
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  async #next(): Promise<LocalLine | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }
}

async function* linesOf(output: NodeJS.ReadableStream): AsyncGenerator<LocalLine, void, void> {
  for await (const line of createInterface({ input: output })) yield JSON.parse(line) as LocalLine;
}
