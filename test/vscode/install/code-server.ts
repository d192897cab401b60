import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { layout, versions } from './layout.ts';
import { runStep, type Step } from './step.ts';

const wanted = JSON.stringify({ ...versions, arch: process.arch });

/** Whether everything is installed in these versions. */
export function isInstalled(): boolean {
  return existsSync(layout.stamp) && readFileSync(layout.stamp, 'utf8') === wanted;
}

/**
 * Installs code-server from npm, a real VS Code that is served to a browser. First removes the
 * files of an incomplete installation or of other versions.
 *
 * @param announce Called with the title of each step when it begins.
 */
export async function installCodeServer(announce: (title: string) => void): Promise<void> {
  rmSync(layout.folder, { recursive: true, force: true });
  mkdirSync(layout.folder, { recursive: true });
  for (const step of installSteps()) {
    announce(step.title);
    await runStep(step);
  }
  linkLaunchers();
  writeFileSync(layout.stamp, wanted);
}

/**
 * npm runs no install scripts: code-server's script rejects a Node version other than its own, and
 * these steps replace it. Native modules are built with the headers of the Node that loads them,
 * which are in its package. So only npm packages are downloaded.
 */
function installSteps(): readonly Step[] {
  const env = {
    ...process.env,
    PATH: dirname(layout.node) + delimiter + process.env.PATH,
    npm_config_nodedir: layout.nodePackage,
  };
  const npm = (title: string, cwd: string, ...args: string[]): Step => ({
    title,
    command: 'npm',
    args: [...args, '--no-audit', '--no-fund', '--no-update-notifier'],
    cwd,
    env,
    maxMinutes: 15,
  });
  const into = (name: string) => {
    const folder = join(layout.folder, name);
    mkdirSync(folder, { recursive: true });
    // Otherwise npm installs into the checkout itself.
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
    return folder;
  };
  const dependencies = ['install', '--omit=dev', '--ignore-scripts'];
  return [
    npm(
      'Install its Node',
      into('node'),
      'install',
      '--ignore-scripts',
      `node-linux-${process.arch}@${versions.node}`,
    ),
    npm(
      'Install code-server',
      into('server'),
      'install',
      '--ignore-scripts',
      `code-server@${versions.codeServer}`,
    ),
    npm("Install VS Code's dependencies", layout.vscode, ...dependencies),
    npm(
      'Build the native modules',
      layout.vscode,
      'rebuild',
      '@vscode/spdlog',
      '@vscode/native-watchdog',
    ),
    npm(
      'Install the dependencies of the built-in extensions',
      join(layout.vscode, 'extensions'),
      ...dependencies,
    ),
  ];
}

/**
 * The launchers by which terminals start `code` and open a browser. The one in the package is
 * broken.
 */
function linkLaunchers(): void {
  const bin = join(layout.vscode, 'bin');
  const link = (target: string, name: string) => {
    rmSync(join(bin, name), { force: true });
    symlinkSync(target, join(bin, name));
  };
  link('code-linux.sh', 'remote-cli/code-server');
  link('browser-linux.sh', 'helpers/browser.sh');
}
