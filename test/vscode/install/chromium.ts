import { existsSync } from 'node:fs';
import { AgentCoreError } from '../../../src/base/errors.ts';
import type { Step } from './step.ts';

/** The paths of browsers that Playwright supports, on Debian and common CI images. */
const places = ['/usr/bin/chromium', '/usr/bin/google-chrome-stable'];

/** The path of Chromium or Chrome. `CHROMIUM` overrides it. */
export function findChromium(): string | undefined {
  return [process.env.CHROMIUM, ...places].find((path) => path && existsSync(path));
}

/**
 * The steps that install Chromium, or none if it is installed.
 *
 * @throws AgentCoreError `usage` if only the user can install it.
 */
export function chromiumSteps(): readonly Step[] {
  if (findChromium() !== undefined) return [];
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new AgentCoreError(
      'usage',
      `There is no browser at ${places.join(' or ')}; install one ` +
        '(`sudo apt-get install chromium`), or name yours by CHROMIUM=/path/to/it',
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Waits for another running apt.
  const patience = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=2'];
  const apt = (title: string, ...args: string[]): Step => ({
    title,
    command: 'apt-get',
    args: [...patience, ...args],
    env,
    maxMinutes: 15,
  });
  return [
    apt('Read the package lists', 'update'),
    apt('Install Chromium', 'install', '-y', '--no-install-recommends', 'chromium'),
  ];
}
