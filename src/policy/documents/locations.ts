import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';

/** A possible location of a policy document. */
export interface PolicyPlace {
  readonly path: string;
  /** If false, the document may be missing. */
  readonly isRequired: boolean;
}

const NAME = 'agentcore-mcp';

/**
 * Returns the locations of policy documents: the organization's, the user's, and those in
 * `AGENTCORE_POLICY`, separated as in `PATH`. All documents apply, so the variable can only make
 * the policy stricter.
 *
 * @throws {AgentCoreError} `usage` if a path is relative.
 */
export function getPolicyLocations(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): readonly PolicyPlace[] {
  const path = platform === 'win32' ? win32 : posix;
  const named = (env.AGENTCORE_POLICY ?? '').split(path.delimiter).filter(Boolean);
  const relative = named.find((one) => !path.isAbsolute(one));
  if (relative !== undefined) {
    throw new AgentCoreError(
      'usage',
      `AGENTCORE_POLICY names "${relative}", expected absolute paths of policy documents with "${path.delimiter}" between`,
    );
  }
  const usual = [getOrganizationDirectory(env, platform), getUserDirectory(env, platform, home)];
  const places = [
    ...usual.map((folder) => ({ path: path.join(folder, 'policy.yaml'), isRequired: false })),
    ...named.map((one) => ({ path: path.normalize(one), isRequired: true })),
  ];
  // If the variable also names a default location, the document must exist.
  return places.filter(
    ({ path: one, isRequired }) =>
      isRequired || !places.some((other) => other.isRequired && other.path === one),
  );
}

/** A directory that only administrators can change. */
function getOrganizationDirectory(env: Environment, platform: NodeJS.Platform): string {
  if (platform === 'darwin') return posix.join('/Library/Application Support', NAME);
  if (platform === 'win32') return win32.join(env.ProgramData || 'C:\\ProgramData', NAME);
  return posix.join('/etc', NAME);
}

function getUserDirectory(env: Environment, platform: NodeJS.Platform, home: string): string {
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support', NAME);
  if (platform === 'win32') {
    return win32.join(env.APPDATA || win32.join(home, 'AppData', 'Roaming'), NAME);
  }
  const usual = env.XDG_CONFIG_HOME;
  const base = usual && posix.isAbsolute(usual) ? usual : posix.join(home, '.config');
  return posix.join(base, NAME);
}
