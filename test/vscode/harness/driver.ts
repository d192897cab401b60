import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import type * as vscode from 'vscode';
import { AgentCoreError } from '../../../src/error.ts';
import type {
  ChatRecord,
  ChatScript,
  DriverAnswer,
  DriverRequest,
} from '../driver-extension/protocol.ts';
import { until } from './until.ts';

const startMs = 120_000;
const answerMs = 60_000;

/** The test's hand in the extension host. */
export class Driver {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Resolves once the extension host answers. */
  async ready(): Promise<void> {
    await until(startMs, 'The extension host', () =>
      this.run(() => true).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return false;
        throw error;
      }),
    );
  }

  /**
   * Runs a function in the extension host. Its source goes there, so it sees nothing but `vscode`
   * and its arguments; they and what it gives are JSON.
   * @throws AgentCoreError `upstream` with what it threw, `timeout` after 30 s.
   */
  async run<Result, Args extends readonly unknown[]>(
    script: (api: typeof vscode, ...args: Args) => Result | Thenable<Result>,
    ...args: Args
  ): Promise<Result> {
    return (await this.#send({ kind: 'run', script: script.toString(), args })) as Result;
  }

  /** What the scripted agent and model do from now on; forgets what they did. */
  async script(script: ChatScript): Promise<void> {
    await this.#send({ kind: 'chat-script', script });
  }

  /** What they were asked since the last script, and what came of it. */
  async chatRecord(): Promise<ChatRecord> {
    return (await this.#send({ kind: 'chat-record' })) as ChatRecord;
  }

  async #send(body: DriverRequest): Promise<unknown> {
    const sent = request({ socketPath: this.#socket, method: 'POST', agent: false });
    const timer = setTimeout(() => {
      sent.destroy(new AgentCoreError('timeout', `VS Code: no answer in ${answerMs / 1000} s`));
    }, answerMs);
    let answer: DriverAnswer;
    try {
      sent.end(JSON.stringify(body));
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      answer = (await json(response)) as DriverAnswer;
    } finally {
      clearTimeout(timer);
    }
    if ('error' in answer) throw new AgentCoreError('upstream', `In VS Code: ${answer.error}`);
    return answer.value;
  }
}
