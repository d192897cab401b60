/**
 * All tests: those on Node, then those in a real VS Code, which is installed on first use. The last
 * line counts both. Where VS Code cannot be put together (it takes Linux), it says so and leaves
 * them to `npm run test:vscode:electron`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestCounts } from '../test/summary-reporter.ts';

const folder = mkdtempSync(join(tmpdir(), 'agentcore-mcp-counts-'));
const total = { passed: 0, failed: 0 };

/** Runs a program with this one's streams, and ends all where it fails. */
function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: isWindows });
  if (status !== 0) process.exit(status ?? 1);
}

function runTests(name: string, ...args: readonly string[]): void {
  const file = join(folder, name);
  const env = { ...process.env, TEST_COUNTS_FILE: file };
  const { status } = spawnSync('vitest', ['run', ...args], {
    stdio: 'inherit',
    shell: isWindows,
    env,
  });
  let counts: TestCounts;
  try {
    counts = JSON.parse(readFileSync(file, 'utf8')) as TestCounts;
  } catch {
    // It ended before it had anything to count.
    counts = { passed: 0, failed: 1 };
  }
  total.passed += counts.passed;
  total.failed += counts.failed;
  if (status !== 0 && counts.failed === 0) total.failed++;
}

const isWindows = process.platform === 'win32';
const inVsCode = process.platform === 'linux';
try {
  // First, because a test of the local AgentCore uses the browser that comes with it.
  if (inVsCode) run('npm', ['run', '--silent', 'test:vscode:install']);
  runTests('node');
  if (inVsCode) runTests('vscode', '--config', 'vitest.vscode.config.ts');
  else process.stdout.write('The tests in VS Code take Linux: npm run test:vscode:electron\n');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
