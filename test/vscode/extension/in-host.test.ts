import { expect, inject, test } from 'vitest';
import { useVsCode } from '../harness/use-vs-code.ts';
import { inHostSuite } from '../in-host-suite.ts';

const scene = useVsCode(async () => ({ vsix: [inject('vsix')], name: 'in-host' }));

test('the suite inside the extension host passes, which also runs in a downloaded VS Code', async () => {
  const passed = await scene().driver.run(
    async (_, path) => {
      const { createRequire } = process.getBuiltinModule('node:module');
      const { run } = createRequire(path)(path) as { readonly run: () => Promise<number> };
      return run();
    },
    await inHostSuite(),
  );
  expect(passed).toBeGreaterThan(3);
});
