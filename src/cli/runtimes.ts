import { join } from 'node:path';
import { getCallability, getTargetKind } from '../aws/discovery/callability.ts';
import { type DiscoveredScope, Discovery, type Listing } from '../aws/discovery/discovery.ts';
import type { DiscoveredGateway, DiscoveredRuntime, Problem } from '../aws/discovery/model.ts';
import { formatScopeName, resolveScopes } from '../aws/discovery/scopes.ts';
import { createMissingStatements, formatStatement } from '../aws/iam/access-denied.ts';
import { type Environment, getStateDirectory } from '../base/environment.ts';
import { formatDuration, formatTable, sanitizeForTerminal } from '../base/format.ts';
import { formatIdentity, parseAssumeRole } from './accounts.ts';

interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

export interface RuntimesArguments {
  readonly profile?: readonly string[] | undefined;
  readonly region?: readonly string[] | undefined;
  readonly allProfiles?: boolean | undefined;
  /** ARN of a role to assume first. */
  readonly role?: string | undefined;
  /** Whether to list gateways too. Default: true. */
  readonly gateways?: boolean | undefined;
  readonly versions?: boolean | undefined;
  readonly refresh?: boolean | undefined;
  /** Whether to show ARNs. */
  readonly arn?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/**
 * Runs the verb `runtimes`: lists the runtimes and gateways of the selected profiles and regions,
 * with their possible uses.
 *
 * @returns 0; 1 if all profiles and regions failed.
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

/** Whether there is no problem, or AWS has returned a list now. */
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

interface ListOptions {
  readonly arns: boolean;
  readonly withVersions: boolean;
  readonly now: number;
  /** Terminal width in characters. */
  readonly width: number;
}

/** A runtime or gateway, with all profiles in whose lists it is. */
interface Row {
  readonly target: DiscoveredRuntime | DiscoveredGateway;
  readonly profiles: readonly string[];
}

/** Maximum number of versions to print, newest first. */
const MAX_VERSIONS = 5;

/** Maximum number of names to print for the same use. */
const MAX_NAMES = 8;

/** Milliseconds. A younger cached list counts as current. */
const JUST_NOW = 10_000;

/** Formats runtimes and gateways as a table, with their possible uses and the age of the data. */
function formatRuntimeList(found: readonly DiscoveredScope[], options: ListOptions): string {
  const rows = createRows(found);
  const width = options.arns ? Infinity : options.width;
  const parts = [
    rows.length > 0
      ? formatTable([getColumnNames(options), ...createCells(rows, options)], width)
      : '',
    formatLines(formatUses(rows.map(({ target }) => target))),
    formatLines(found.flatMap((place) => formatAge(place, options.now))),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** Formats problems. Those of the same kind and scope become one line. */
function formatProblems(problems: readonly Problem[]): readonly string[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const { place, api, kind, sentence } = problem;
    // Invalid credentials fail in all regions, so omit the region.
    const where =
      kind === 'credentials' ? formatScopeName({ profile: place.profile }) : formatScopeName(place);
    const what = api && problem.subject ? `${api} ${kind}` : sentence;
    const key = JSON.stringify([where, what]);
    groups.set(key, [...(groups.get(key) ?? []), problem]);
  }
  return [...groups].map(([key, [first, ...others]]) => {
    const [where] = JSON.parse(key) as [string];
    const alike = first?.subject ? others.length : 0;
    const more = alike > 0 ? ` (and ${alike} more)` : '';
    return sanitizeForTerminal(`${where}: ${first?.sentence}${more}`);
  });
}

function createRows(found: readonly DiscoveredScope[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const { place, runtimes, gateways } of found) {
    const profile = place.profile ?? '-';
    for (const target of [...(runtimes?.items ?? []), ...(gateways?.items ?? [])]) {
      const { target: before = target, profiles = [] } = rows.get(target.arn) ?? {};
      rows.set(target.arn, {
        target: countFields(target) > countFields(before) ? target : before,
        profiles: [...profiles, profile],
      });
    }
  }
  return [...rows.values()];
}

/** Number of fields that a profile can read. Of two profiles, the one with more fields is used. */
function countFields(target: object): number {
  return Object.values(target).filter((value) => value !== undefined).length;
}

function getColumnNames({ arns, withVersions }: ListOptions): string[] {
  return [
    'NAME',
    'KIND',
    'STATUS',
    'ENDPOINTS',
    ...(withVersions ? ['VERSIONS'] : []),
    'REGION',
    'ACCOUNT',
    'PROFILE',
    ...(arns ? ['ARN'] : []),
  ];
}

function createCells(rows: readonly Row[], { arns, withVersions }: ListOptions): string[][] {
  return rows.map(({ target, profiles }) =>
    [
      target.name,
      getTargetKind(target),
      target.status.toLowerCase().replaceAll('_', ' '),
      formatEndpoint(target),
      ...(withVersions ? [formatVersion(target)] : []),
      target.region,
      target.account,
      [...new Set(profiles)].join(', '),
      ...(arns ? [target.arn] : []),
    ].map(sanitizeForTerminal),
  );
}

/** Formats the endpoints. Examples: `DEFAULT → 3`; during an update `DEFAULT → 3 (→ 4)`. */
function formatEndpoint(target: DiscoveredRuntime | DiscoveredGateway): string {
  if (target.kind === 'gateway') return '-';
  if (target.endpoints === undefined) return '?';
  const words = target.endpoints.map(({ name, liveVersion, targetVersion, status }) => {
    const next = targetVersion ? ` (→ ${targetVersion})` : '';
    const state = status === 'READY' ? '' : ` ${status.toLowerCase().replaceAll('_', ' ')}`;
    return `${name} → ${liveVersion ?? 'none'}${next}${state}`;
  });
  return words.length > 0 ? words.join(', ') : 'none';
}

function formatVersion(target: DiscoveredRuntime | DiscoveredGateway): string {
  if (target.kind === 'gateway') return '-';
  if (target.versions === undefined) return '?';
  const newest = target.versions.slice(0, MAX_VERSIONS).map(({ version }) => version);
  const older = target.versions.length - newest.length;
  return `${newest.join(', ')}${older > 0 ? ` and ${older} older` : ''}`;
}

/** Formats the possible uses, with the names of the targets for each. */
function formatUses(targets: readonly (DiscoveredRuntime | DiscoveredGateway)[]): string[] {
  const names = new Map<string, string[]>();
  for (const target of targets) {
    const { sentence } = getCallability(target);
    names.set(sentence, [...(names.get(sentence) ?? []), target.name]);
  }
  return [...names].map(([sentence, all]) => {
    const more = all.length > MAX_NAMES ? ` and ${all.length - MAX_NAMES} more` : '';
    return `${all.slice(0, MAX_NAMES).join(', ')}${more}: ${sentence}.`;
  });
}

function formatAge(found: DiscoveredScope, now: number): string[] {
  const { place, identity, runtimes, gateways, problems } = found;
  const parts = [
    formatCountAndAge(runtimes, 'runtime', now),
    formatCountAndAge(gateways, 'gateway', now),
  ];
  const counts = parts.filter((part) => part !== undefined).join(', ');
  if (counts === '') return [];
  const who = identity ? `account ${identity.account} as ${formatIdentity(identity)}; ` : '';
  const isOld = problems.length > 0 && [runtimes, gateways].some((one) => one?.source === 'cache');
  const why = isOld ? ', from an earlier list' : '';
  return [`${formatScopeName(place)}: ${who}${counts}${why}`];
}

function formatCountAndAge(
  listing: Listing<unknown> | undefined,
  thing: string,
  now: number,
): string | undefined {
  if (!listing) return undefined;
  const count = listing.items.length === 0 ? 'no' : `${listing.items.length}`;
  const age = now - Date.parse(listing.readAt);
  const when =
    listing.source === 'aws' || age < JUST_NOW ? 'just now' : `${formatDuration(age)} ago`;
  return `${count} ${thing}${listing.items.length === 1 ? '' : 's'} (${when})`;
}

function formatLines(sentences: readonly string[]): string {
  return sentences.map((sentence) => `${sanitizeForTerminal(sentence)}\n`).join('');
}
