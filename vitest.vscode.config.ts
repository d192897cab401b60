import { defineConfig } from 'vitest/config';

/** Tests in a real VS Code, which `npm run test:vscode` installs first. */
export default defineConfig({
  test: {
    include: ['test/vscode/**/*.test.ts'],
    globalSetup: ['test/vscode/vsix.ts'],
    // Vitest's own bound is one second, which a busy machine takes for a single look.
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default', './test/summary-reporter.ts'],
    // Each file has a VS Code and a browser of its own, which keep a small machine busy.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 480_000,
  },
});
