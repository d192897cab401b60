/**
 * The main job, from end to end: a real MCP client talks through the stdio proxy, with real
 * signatures, to real MCP servers in a local AgentCore. Exits 1 with the reason where anything is
 * not as it should be.
 */
import { strict as assert } from 'node:assert';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { LocalProcess } from './local-process.ts';

const CONFIG = 'examples/agentcore-local.yaml';
/** Everything below takes seconds; a machine that needs this long has a trouble of its own. */
const DEADLINE = 120_000;

function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** A client whose server is the proxy, started as VS Code starts it. */
async function connect(name: string, env: Record<string, string>): Promise<Client> {
  const client = new Client({ name, version: '1.0.0' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['dist/proxy.js'],
    env,
    stderr: 'inherit',
  });
  await client.connect(transport);
  return client;
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}) {
  const { content } = await client.callTool({ name, arguments: args });
  const [first] = content as { type: string; text: string }[];
  assert(first?.type === 'text', `${name} answered with no text`);
  return first.text;
}

async function demonstrate(local: LocalProcess): Promise<void> {
  const runtime = local.runtime('stateful');
  const env = { ...local.env, AGENTCORE_AGENT_ARN: runtime.arn };
  say(`A local AgentCore serves on ${local.url}`);
  say(`  runtime  ${runtime.arn}`);
  say();

  const alice = await connect('alice', env);
  const { name, version } = alice.getServerVersion() ?? {};
  say(`alice connects through the proxy and meets ${name} ${version}`);
  const { tools } = await alice.listTools();
  assert(tools.length > 0, 'The server announces no tools');
  for (const { name, description } of tools) say(`  tool     ${name.padEnd(12)} ${description}`);
  say();

  say('alice calls get_weather for Lisbon');
  say(`  answer   ${await call(alice, 'get_weather', { city: 'Lisbon' })}`);
  say();

  say('alice calls count_down, and sees each step when it happens');
  const begun = performance.now();
  let steps = 0;
  await alice.callTool({ name: 'count_down', arguments: { from: 4, interval: 150 } }, undefined, {
    onprogress: ({ progress, total, message }) => {
      steps++;
      const after = Math.round(performance.now() - begun);
      say(`  progress ${progress} of ${total}, ${message} (after ${after} ms)`);
    },
  });
  assert.equal(steps, 4, 'Steps of the count-down were lost');
  say();

  say('bob connects as well, and has a session, a microVM and a memory of his own');
  const bob = await connect('bob', env);
  const [aliceNotes, bobNotes] = await Promise.all([
    call(alice, 'remember', { note: 'buy milk' }),
    call(bob, 'remember', { note: 'water the plants' }),
  ]);
  const [aliceIs, bobIs] = await Promise.all([call(alice, 'whoami'), call(bob, 'whoami')]);
  for (const [who, is, notes] of [
    ['alice', aliceIs, aliceNotes],
    ['bob', bobIs, bobNotes],
  ]) {
    say(`  ${who?.padEnd(8)} ${is}`);
    say(`           ${notes}`);
  }
  assert.notEqual(aliceIs, bobIs, 'Both have the same session');
  assert(!bobNotes.includes('milk'), 'One sees what the other noted');
  say();

  say('Both leave, and the proxy stops what would cost money');
  await Promise.all([alice.close(), bob.close()]);
  for (const stopped of await local.sessionsStopped(2)) say(`  stopped  ${stopped}`);
}

const deadline = setTimeout(() => {
  process.stderr.write(`Not done after ${DEADLINE / 1000} s\n`);
  process.exit(1);
}, DEADLINE);
const local = await LocalProcess.start(CONFIG);
try {
  await demonstrate(local);
} catch (error) {
  process.stderr.write(`\nIt did not work: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await local.stop();
  clearTimeout(deadline);
}
if (process.exitCode === undefined) say('\nAll of it worked.');
