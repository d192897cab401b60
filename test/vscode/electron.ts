import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { inHostSuite } from './in-host-suite.ts';

/**
 * Downloads a VS Code and runs the in-host suite in it: `npm run test:vscode:electron -- oldest`,
 * or `stable` (default), `insiders`, `1.110.0`.
 */
const wanted = process.argv[2] ?? 'stable';
const version = wanted === 'oldest' ? await oldestVersion() : wanted;
const folder = await mkdtemp(join(tmpdir(), 'agentcore-vscode-'));
try {
  const workspace = join(folder, 'workspace');
  await mkdir(workspace);
  await runTests({
    version,
    extensionDevelopmentPath: resolve('.'),
    extensionTestsPath: await inHostSuite(),
    extensionTestsEnv: {
      AGENTCORE_STATE_DIR: join(folder, 'state'),
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    launchArgs: [
      workspace,
      '--disable-extensions',
      '--disable-workspace-trust',
      // Short, because the path of a socket below it has a limit.
      `--user-data-dir=${join(folder, 'data')}`,
    ],
  });
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The minimum version in `package.json`. */
async function oldestVersion(): Promise<string> {
  const { engines } = JSON.parse(await readFile('package.json', 'utf8'));
  return engines.vscode.replace(/^\^/, '');
}
