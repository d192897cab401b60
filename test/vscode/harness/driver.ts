import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import type * as vscode from 'vscode';
import { AgentCoreError } from '../../../src/base/errors.ts';
import type {
  ChatRecord,
  ChatScript,
  DriverAnswer,
  DriverRequest,
} from '../driver-extension/protocol.ts';
import { until } from './until.ts';

const startMs = 120_000;
const answerMs = 60_000;

/** Gives tests access to the extension host. */
export class Driver {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Resolves once the extension host responds. */
  async ready(): Promise<void> {
    await until(startMs, 'The extension host', () =>
      this.run(() => true).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return false;
        throw error;
      }),
    );
  }

  /**
   * Runs a function in the extension host. Only its source is sent, so it can use only `vscode` and
   * its arguments. Arguments and result are JSON.
   *
   * @throws AgentCoreError `upstream` with the function's error, `timeout` after 30 s.
   */
  async run<Result, Args extends readonly unknown[]>(
    script: (api: typeof vscode, ...args: Args) => Result | Thenable<Result>,
    ...args: Args
  ): Promise<Result> {
    return (await this.#send({ kind: 'run', script: script.toString(), args })) as Result;
  }

  /** Replaces the script of the agent and the model, and clears their records. */
  async script(script: ChatScript): Promise<void> {
    await this.#send({ kind: 'chat-script', script });
  }

  /** The requests since the last script, and their outcome. */
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
