/**
 * The main job, from end to end: a real MCP client talks through the stdio proxy, with real
 * signatures, to real MCP servers in a local AgentCore. Exits 1 with the reason where anything is
 * not as it should be.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LocalProcess } from './local-process.ts';
import { showLostMicroVm } from './lost-microvm.ts';
import { showQuestions } from './questions.ts';
import { say } from './transcript.ts';
import { showTwoSessions } from './two-sessions.ts';

const CONFIG = 'examples/agentcore-local.yaml';
/** Everything below takes seconds; a machine that needs this long has a trouble of its own. */
const DEADLINE = 120_000;
/** alice's and bob's, carol's two, and dora's second. */
const SESSIONS = 5;

async function demonstrate(local: LocalProcess): Promise<void> {
  say(`A local AgentCore serves on ${local.url}`);
  await showTwoSessions(local);
  say();
  await showQuestions(local, 'stateful', 'speaks HTTP itself');
  say();
  await showQuestions(local, 'stateful_bridge', 'speaks stdio behind the bridge');
  say();

  await showLostMicroVm(local);
  say();

  say('All have left, and the proxies have stopped what would cost money');
  for (const id of await local.sessionsEnded('stop-runtime-session', SESSIONS)) {
    say(`  stopped  ${id}`);
  }
  say();

  say('What is on record of it: agentcore-mcp sessions list');
  const list = ['dist/cli.js', 'sessions', 'list'];
  const env = { ...process.env, ...local.env };
  const { stdout } = await promisify(execFile)(process.execPath, list, { env });
  for (const line of stdout.trimEnd().split('\n')) say(line && `  ${line}`);
}

const deadline = setTimeout(() => {
  process.stderr.write(`Not done after ${DEADLINE / 1000} s\n`);
  process.exit(1);
}, DEADLINE);
// What is shown here is none of the user's own sessions.
const state = await mkdtemp(join(tmpdir(), 'agentcore-mcp-start-'));
const local = await LocalProcess.start(CONFIG, { AGENTCORE_STATE_DIR: state });
try {
  await demonstrate(local);
} catch (error) {
  process.stderr.write(`\nIt did not work: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await local.stop();
  await rm(state, { recursive: true, force: true });
  clearTimeout(deadline);
}
if (process.exitCode === undefined) say('\nAll of it worked.');
