/** Takes the pictures of the README, `media/screenshots/*.png`, from the tests in a real VS Code. */
import { spawnSync } from 'node:child_process';

const args = ['run', 'test:vscode', '--', 'test/vscode/extension'];
const { status } = spawnSync('npm', args, {
  stdio: 'inherit',
  env: { ...process.env, SCREENSHOTS: '1' },
});
process.exitCode = status ?? 1;
