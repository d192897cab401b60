/**
 * The main job, from end to end: a real MCP client talks through the stdio proxy, with real
 * signatures, to real MCP servers in a local AgentCore. Exits 1 with the reason where anything is
 * not as it should be.
 */
import { LocalProcess } from './local-process.ts';
import { showQuestions } from './questions.ts';
import { say } from './transcript.ts';
import { showTwoSessions } from './two-sessions.ts';

const CONFIG = 'examples/agentcore-local.yaml';
/** Everything below takes seconds; a machine that needs this long has a trouble of its own. */
const DEADLINE = 120_000;
/** alice's and bob's, and carol's two. */
const SESSIONS = 4;

async function demonstrate(local: LocalProcess): Promise<void> {
  say(`A local AgentCore serves on ${local.url}`);
  await showTwoSessions(local);
  say();
  await showQuestions(local, 'stateful', 'speaks HTTP itself');
  say();
  await showQuestions(local, 'stateful_bridge', 'speaks stdio behind the bridge');
  say();

  say('All have left, and the proxies have stopped what would cost money');
  for (const stopped of await local.sessionsStopped(SESSIONS)) say(`  stopped  ${stopped}`);
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
