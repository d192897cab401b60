import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { registerSessionCommands } from '../../src/extension/commands/session-commands.ts';
import { SessionsModel } from '../../src/extension/models/sessions-model.ts';
import { createSessionNode } from '../../src/extension/models/tree-nodes.ts';
import { CommandRegistry } from '../../src/extension/ui/command-registry.ts';
import { accessKey, CredentialHome, keys } from '../aws/credentials/credential-fixtures.ts';
import { commands } from '../extension/vscode-stub.ts';
import { deadHead, writePart } from '../state/journal/fixture.ts';
import { recordExecutedFiles } from './executed-files.ts';
import limits from './limits.json' with { type: 'json' };

afterEach(() => commands.handlers.clear());

/** A data plane that stops each session, and calls `onStop` before it answers. */
async function startDataPlane(onStop: () => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      onStop();
      response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('runs few files from a click on Stop Session to the call of AWS', async () => {
  const executed = await recordExecutedFiles();
  onTestFinished(() => executed.end());
  const stops: Promise<readonly string[]>[] = [];
  const endpoint = await startDataPlane(() => void stops.push(executed.take()));
  const home = await CredentialHome.make({ credentials: keys('work', accessKey('user')) });
  const at = new Date().toISOString();
  const sessions = ['first', 'second', 'third'].map((session) => ({
    type: 'session.started' as const,
    at,
    session,
    runtimeSessionId: `${session}-runtime-session-id-of-33-characters`,
    runtime: 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/server-Ab12Cd34Ef',
    mode: 'session' as const,
    endpoint,
    profile: 'work',
  }));
  await writePart(join(home.file('state'), 'journal'), 'run', deadHead(), sessions);
  const model = new SessionsModel(() => home.env);
  onTestFinished(() => model.dispose());
  const registry = new CommandRegistry({} as never);
  onTestFinished(() => registry.dispose());
  registerSessionCommands(registry, model);
  const { entries } = await model.refresh();
  // The first click loads the modules and the credentials.
  for (const node of entries.map(createSessionNode)) {
    await executed.take();
    await commands.executeCommand('agentcore.stopSession', node);
  }
  const [, second = [], third = []] = await Promise.all(stops);
  // Timers of the background add files, and never remove one.
  const files = second.filter((file) => third.includes(file));
  expect(files.length, files.join('\n')).toBeLessThanOrEqual(limits.stopInVsCode);
  expect(files).toContain('sessions/stop-session.ts');
});
