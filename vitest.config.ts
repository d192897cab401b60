import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { MAX_TEST_MS, MAX_WAIT_MS } from './test/fixtures/bounds.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They have a configuration of their own.
    exclude: ['test/vscode/**'],
    // There is none outside of VS Code.
    alias: { vscode: new URL('test/extension/vscode-stub.ts', import.meta.url).pathname },
    globalSetup: ['test/build.ts', 'test/state-folder.ts'],
    // Vitest's own bound is one second, which a busy machine takes for a single look.
    expect: { poll: { timeout: MAX_WAIT_MS } },
    reporters: ['default', './test/summary-reporter.ts'],
    // Most tests wait for other processes: two processors have work for three files at once.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Real processes are started on machines that may be busy with others; a test that is right
    // never comes near this.
    testTimeout: MAX_TEST_MS,
    hookTimeout: MAX_TEST_MS,
  },
});
