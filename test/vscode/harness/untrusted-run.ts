import { stepMs } from './browser.ts';
import { until } from './until.ts';
import { VsCode } from './vs-code.ts';

/** A VS Code that trusts its folder late, in a process that a test can kill. */
const { driver, folder, workbench } = await VsCode.start({ workspaceTrust: true });
const isTrusted = () => driver.run(({ workspace }) => workspace.isTrusted);
const before = await isTrusted();
await workbench.trustWorkspace();
// The extension host is informed after the window shows it.
const after = await until(stepMs, 'A trusted folder in the extension host', isTrusted);
process.stdout.write(`${JSON.stringify({ before, after, root: folder.root })}\n`);
