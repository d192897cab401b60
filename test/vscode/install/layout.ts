import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The installed versions. code-server 4.N is VS Code 1.N. Its extension host runs on this Node. */
export const versions = {
  codeServer: '4.139.1',
  node: '24.21.0',
  /** Incremented when the steps change, so that older installations are replaced. */
  steps: 1,
} as const;

const root = fileURLToPath(new URL('../../../.vscode-test', import.meta.url));
const folder = join(root, 'code-server');
const nodePackage = join(folder, 'node', 'node_modules', `node-linux-${process.arch}`);
const serverPackage = join(folder, 'server', 'node_modules', 'code-server');

/** The paths of the installation, all below `.vscode-test`, which git ignores. */
export const layout = {
  root,
  folder,
  lock: join(root, 'install.lock'),
  /** Written last. It lists the completely installed versions. */
  stamp: join(folder, 'installed.json'),
  /** The package that contains Node with its headers. */
  nodePackage,
  node: join(nodePackage, 'bin', 'node'),
  serverPackage,
  /** VS Code itself, inside code-server. */
  vscode: join(serverPackage, 'lib', 'vscode'),
  entry: join(serverPackage, 'out', 'node', 'entry.js'),
  screenshots: join(root, 'screenshots'),
} as const;
