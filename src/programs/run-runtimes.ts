import { join } from 'node:path';
import type { DiscoveredScope } from '../aws/discovery/discovered-place.ts';
import { Discovery } from '../aws/discovery/discovery.ts';
import { resolveScopes } from '../aws/discovery/place.ts';
import { getCallability } from '../aws/discovery/usable-as.ts';
import { createMissingStatements, formatStatement } from '../aws/iam/access-denied.ts';
import type { Environment } from '../environment.ts';
import { getStateDirectory } from '../journal/state-folder.ts';
import { parseAssumeRole } from './run-whoami.ts';
import { formatProblems, formatRuntimeList } from './runtime-report.ts';

interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

export interface RuntimesArguments {
  readonly profile?: readonly string[] | undefined;
  readonly region?: readonly string[] | undefined;
  readonly allProfiles?: boolean | undefined;
  /** Role to assume first. */
  readonly role?: string | undefined;
  /** Default: true. */
  readonly gateways?: boolean | undefined;
  readonly versions?: boolean | undefined;
  readonly refresh?: boolean | undefined;
  /** Whether to show ARNs. */
  readonly arn?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/**
 * Lists the runtimes and gateways of the selected profiles and regions, with their possible uses.
 *
 * @returns 1 if every place failed.
 * @throws {AgentCoreError} `usage` for an invalid selection, or if no region is configured.
 */
export async function runRuntimes(
  options: RuntimesArguments,
  env: Environment,
  streams: Streams,
  signal?: AbortSignal,
): Promise<number> {
  const { places, problems: unplaced } = await resolveScopes(
    {
      profiles: options.profile ?? [],
      regions: options.region ?? [],
      allProfiles: options.allProfiles,
      assumeRole: options.role ? parseAssumeRole(options.role) : undefined,
    },
    env,
  );
  const discovery = new Discovery({ env, cacheFolder: join(getStateDirectory(env), 'discovery') });
  const { gateways, versions, refresh } = options;
  const found = await discovery.discoverAll({ places, gateways, versions, refresh, signal });
  const problems = [...unplaced, ...found.flatMap((place) => place.problems)];
  const missing = createMissingStatements(problems.flatMap(({ denial }) => denial ?? []));

  if (options.json) {
    const answer = { places: found.map(withUses), problems, missing };
    streams.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  } else {
    const { columns: width = Infinity } = streams.stdout;
    const { arn: arns = false, versions: withVersions = false } = options;
    streams.stdout.write(formatRuntimeList(found, { arns, withVersions, now: Date.now(), width }));
    for (const line of formatProblems(problems)) streams.stderr.write(`${line}\n`);
    if (missing.length > 0) {
      streams.stderr.write(
        `Missing permissions, as statements to copy:\n${missing.map(formatStatement).join(',\n')}\n`,
      );
    }
  }
  return found.some(hasSucceeded) || problems.length === 0 ? 0 : 1;
}

/** True if AWS returned anything now, or everything a short while ago. */
function hasSucceeded({ runtimes, gateways, problems }: DiscoveredScope): boolean {
  if (problems.length === 0) return true;
  return runtimes?.source === 'aws' || gateways?.source === 'aws';
}

function withUses(place: DiscoveredScope): object {
  const { runtimes, gateways, problems: _, isDone: __, ...rest } = place;
  const used = (listing: typeof runtimes | typeof gateways) =>
    listing && {
      ...listing,
      items: listing.items.map((item) => ({ ...item, use: getCallability(item) })),
    };
  return { ...rest, runtimes: used(runtimes), gateways: used(gateways) };
}
