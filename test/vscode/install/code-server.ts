import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { layout, versions } from './layout.ts';
import { runStep, type Step } from './step.ts';

const wanted = JSON.stringify({ ...versions, arch: process.arch });

/** Whether all of it is there, in these versions. */
export function isInstalled(): boolean {
  return existsSync(layout.stamp) && readFileSync(layout.stamp, 'utf8') === wanted;
}

/**
 * Installs code-server from npm, which is a real VS Code served to a browser. What an earlier try
 * left half done, or in other versions, goes first.
 * @param announce Told the title of each step when it begins.
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
 * npm runs no package's own scripts: code-server's refuses a Node other than its own, and all that
 * they would do is here. Native modules are built against the headers of the Node that will load
 * them, which are in its package, and so nothing is fetched but npm packages.
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
    // Otherwise npm takes the checkout itself for the project that it is to install into.
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

/** The names by which terminals start `code` and open a browser; the package has a broken one. */
function linkLaunchers(): void {
  const bin = join(layout.vscode, 'bin');
  const link = (target: string, name: string) => {
    rmSync(join(bin, name), { force: true });
    symlinkSync(target, join(bin, name));
  };
  link('code-linux.sh', 'remote-cli/code-server');
  link('browser-linux.sh', 'helpers/browser.sh');
}
