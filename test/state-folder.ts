import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Keeps the tests' programs out of the user's own journal. */
export default function stateFolder(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'agentcore-mcp-state-'));
  process.env.AGENTCORE_STATE_DIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
