import { strict as assert } from 'node:assert';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import type { LocalProcess } from './local-process.ts';
import { call, connect } from './mcp-client.ts';
import { say } from './transcript.ts';

/** A microVM that is killed in the middle of a conversation, which goes on in another one. */
export async function showLostMicroVm(local: LocalProcess): Promise<void> {
  const env = { ...local.env, AGENTCORE_AGENT_ARN: local.runtime('stateful').arn };
  const dora = await connect('dora', env);
  dora.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    say(`  proxy    ${params.data}`);
  });
  say('dora connects, and asks who answers her');
  const before = await call(dora, 'whoami');
  say(`  answer   ${before}`);
  say();

  const pid = Number(/process (\d+)/.exec(before)?.[1]);
  say(`Her microVM is killed (process ${pid})`);
  process.kill(pid, 'SIGKILL');
  await local.sessionsEnded('container-exited', 1);
  say();

  say('dora asks again, twice at once, and does not notice');
  const [weather, after] = await Promise.all([
    call(dora, 'get_weather', { city: 'Lisbon' }),
    call(dora, 'whoami'),
  ]);
  say(`  answer   ${weather}`);
  say(`  answer   ${after}`);
  assert.notEqual(after, before, 'The same microVM answers, although it was killed');
  await dora.close();
}
