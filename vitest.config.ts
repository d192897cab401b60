import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build.ts', 'test/state-folder.ts'],
    reporters: ['default', './test/summary-reporter.ts'],
    // Real processes are started on machines that may be busy with others; a test that is right
    // never comes near this.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
