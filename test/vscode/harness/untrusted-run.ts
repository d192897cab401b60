import { until } from './until.ts';
import { VsCode } from './vs-code.ts';

/** A VS Code that is told late to trust its folder, in a process that a test can kill. */
const { driver, folder, workbench } = await VsCode.start({ workspaceTrust: true });
const isTrusted = () => driver.run(({ workspace }) => workspace.isTrusted);
const before = await isTrusted();
await workbench.trustWorkspace();
// The extension host learns of it after the window shows it.
const after = await until(20_000, 'A trusted folder in the extension host', isTrusted);
process.stdout.write(`${JSON.stringify({ before, after, root: folder.root })}\n`);
