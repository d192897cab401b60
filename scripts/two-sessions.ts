import { strict as assert } from 'node:assert';
import type { LocalProcess } from './local-process.ts';
import { call, connect } from './mcp-client.ts';
import { say } from './transcript.ts';

/** Two clients on a stateful runtime: tools, progress, and a session for each. */
export async function showTwoSessions(local: LocalProcess): Promise<void> {
  const runtime = local.runtime('stateful');
  const env = { ...local.env, AGENTCORE_AGENT_ARN: runtime.arn };
  say(`  runtime  ${runtime.arn}`);
  say();

  const alice = await connect('alice', env);
  const { name, version } = alice.getServerVersion() ?? {};
  say(`alice connects through the proxy and meets ${name} ${version}`);
  const { tools } = await alice.listTools();
  assert(tools.length > 0, 'The server announces no tools');
  for (const { name, description } of tools) say(`  tool     ${name.padEnd(14)} ${description}`);
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
  await Promise.all([alice.close(), bob.close()]);
}
