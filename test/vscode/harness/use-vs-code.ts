import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { layout } from '../install/layout.ts';
import { VsCode, type VsCodeOptions } from './vs-code.ts';

/**
 * One VS Code for all tests of the file or `describe` that calls this. It ends with them. A failed
 * test leaves a screenshot and the logs below `.vscode-test/failures`, and the next test starts in
 * a reloaded window.
 *
 * @param options The options, or a function that returns them once the tests begin.
 * @returns A function that returns the VS Code once the tests have begun.
 */
export function useVsCode(
  options: VsCodeOptions | (() => Promise<VsCodeOptions>) = {},
): () => VsCode {
  let vsCode: VsCode | undefined;
  beforeAll(async () => {
    vsCode = await VsCode.start(typeof options === 'function' ? await options() : options);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail' || !vsCode) return;
    const failures = join(layout.root, 'failures');
    await vsCode.workbench.screenshot(task.name, failures);
    vsCode.folder.keepLogs(join(failures, 'logs'));
    await vsCode.load();
  });
  afterAll(() => vsCode?.stop());
  return () => {
    if (!vsCode) throw new Error('VS Code is there only while its tests run');
    return vsCode;
  };
}
