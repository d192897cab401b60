import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { stepMs } from './browser.ts';
import { descendantsOf, isRunning } from './process-tree.ts';
import { until } from './until.ts';

const program = fileURLToPath(new URL('untrusted-run.ts', import.meta.url));

test('a folder is not trusted at first, and VS Code ends with a killed test', async () => {
  const args = ['--disable-warning=ExperimentalWarning', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { root, ...trusted } = JSON.parse(line) as Record<string, string | boolean>;
  onTestFinished(() => rmSync(String(root), { recursive: true, force: true, maxRetries: 5 }));
  expect(trusted).toEqual({ before: false, after: true });

  const started = descendantsOf(child.pid ?? 0);
  expect(started.length).toBeGreaterThan(5);
  child.kill('SIGKILL');
  await until(stepMs, 'The end of all that it started', () => !started.some(isRunning));
});
