import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as vscode from 'vscode';
import { ScriptedChat } from './chat.ts';
import { type DriverAnswer, type DriverRequest, socketVariable } from './protocol.ts';

/**
 * Serves a socket in a folder that only the test's user can open. A client of the socket may run
 * code here, and already is that user.
 */
export function activate({ subscriptions }: vscode.ExtensionContext): void {
  const socket = process.env[socketVariable];
  if (!socket) throw new Error(`${socketVariable} is not set`);
  const chat = new ScriptedChat();
  const server = createServer((request, response) => void answer(chat, request, response));
  // A reloaded window has a new extension host, which replaces the socket of the old one.
  rmSync(socket, { force: true });
  server.listen(socket);
  subscriptions.push(chat.register(), new vscode.Disposable(() => server.close()));
}

async function answer(
  chat: ScriptedChat,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let result: DriverAnswer;
  try {
    result = { value: await perform(chat, JSON.parse(await text(request)) as DriverRequest) };
  } catch (error) {
    result = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  response.setHeader('content-type', 'application/json').end(JSON.stringify(result));
}

async function perform(chat: ScriptedChat, request: DriverRequest): Promise<unknown> {
  switch (request.kind) {
    case 'run': {
      const script = new Function(`return (${request.script})`)() as (
        ...args: readonly unknown[]
      ) => unknown;
      return await script(vscode, ...request.args);
    }
    case 'chat-script':
      return chat.follow(request.script);
    case 'chat-record':
      return chat.record;
  }
}
