import { mkdirSync } from 'node:fs';
import { AgentCoreError, getErrorMessage } from '../../src/base/errors.ts';
import { chromiumSteps } from './install/chromium.ts';
import { installCodeServer, isInstalled } from './install/code-server.ts';
import { layout, versions } from './install/layout.ts';
import { whileLocked } from './install/lock.ts';
import { runStep } from './install/step.ts';

const maxMinutes = 60;

/**
 * Installs VS Code and a browser for `npm run test:vscode`, unless they are already installed. Only
 * one process installs at a time.
 */
async function main(): Promise<void> {
  if (process.platform !== 'linux') {
    throw new AgentCoreError(
      'usage',
      'These tests drive code-server, whose npm package is put together here for Linux only; ' +
        'run them there, or in a container',
    );
  }
  if (isComplete()) return;
  mkdirSync(layout.root, { recursive: true });
  await whileLocked(layout.lock, maxMinutes, async () => {
    // Another process may have installed them while this one waited.
    if (!isComplete()) await install();
  });
}

function isComplete(): boolean {
  return isInstalled() && chromiumSteps().length === 0;
}

async function install(): Promise<void> {
  const begin = performance.now();
  const announce = (title: string) => process.stderr.write(`${title}\n`);
  for (const step of chromiumSteps()) {
    announce(step.title);
    await runStep(step);
  }
  if (!isInstalled()) await installCodeServer(announce);
  const seconds = Math.round((performance.now() - begin) / 1000);
  announce(`VS Code ${versions.codeServer.replace(/^4/, '1')} is installed (${seconds} s)`);
}

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  await main();
} catch (error) {
  process.stderr.write(`${getErrorMessage(error)}\n`);
  process.exitCode = 1;
}
