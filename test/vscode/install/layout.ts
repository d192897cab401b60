import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is installed. code-server 4.N is VS Code 1.N; its extension host runs on this Node. */
export const versions = {
  codeServer: '4.139.1',
  node: '24.21.0',
  /** Raised when the steps change, so that what older ones installed is made anew. */
  steps: 1,
} as const;

const root = fileURLToPath(new URL('../../../.vscode-test', import.meta.url));
const folder = join(root, 'code-server');
const nodePackage = join(folder, 'node', 'node_modules', `node-linux-${process.arch}`);
const serverPackage = join(folder, 'server', 'node_modules', 'code-server');

/** Where everything lies. All of it is below `.vscode-test`, which git ignores. */
export const layout = {
  root,
  folder,
  lock: join(root, 'install.lock'),
  /** Written last: what it says is what is completely there. */
  stamp: join(folder, 'installed.json'),
  /** The package that is a whole Node, headers and all. */
  nodePackage,
  node: join(nodePackage, 'bin', 'node'),
  serverPackage,
  /** VS Code itself, inside code-server. */
  vscode: join(serverPackage, 'lib', 'vscode'),
  entry: join(serverPackage, 'out', 'node', 'entry.js'),
  screenshots: join(root, 'screenshots'),
} as const;
