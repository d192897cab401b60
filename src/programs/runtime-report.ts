import type { DiscoveredGateway, DiscoveredRuntime } from '../aws/discovery/discovered.ts';
import type { DiscoveredScope, Listing } from '../aws/discovery/discovered-place.ts';
import { formatScopeName } from '../aws/discovery/place-name.ts';
import type { Problem } from '../aws/discovery/problem.ts';
import { getCallability, getTargetKind } from '../aws/discovery/usable-as.ts';
import { formatDuration, sanitizeForTerminal } from '../sessions/session-words.ts';
import { formatIdentity } from './run-whoami.ts';
import { formatTable } from './text-table.ts';

interface ListOptions {
  readonly arns: boolean;
  readonly withVersions: boolean;
  readonly now: number;
  /** Terminal width in characters. */
  readonly width: number;
}

/** A runtime or gateway with its profiles: several profiles may list the same one. */
interface Row {
  readonly target: DiscoveredRuntime | DiscoveredGateway;
  readonly profiles: readonly string[];
}

/** Number of newest versions to list. */
const NEWEST = 5;

/** Maximum number of names for the same use. */
const NAMED = 8;

const JUST_NOW = 10_000;

/** Formats runtimes and gateways as a table, with their possible uses and the age of the data. */
export function formatRuntimeList(found: readonly DiscoveredScope[], options: ListOptions): string {
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

/** Formats problems. Problems of the same kind are grouped. */
export function formatProblems(problems: readonly Problem[]): readonly string[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const { place, api, kind, sentence } = problem;
    // Invalid credentials fail in every region.
    const where =
      kind === 'credentials' ? formatScopeName({ profile: place.profile }) : formatScopeName(place);
    const what = api && problem.subject ? `${api} ${kind}` : sentence;
    const key = JSON.stringify([where, what]);
    groups.set(key, [...(groups.get(key) ?? []), problem]);
  }
  return [...groups].map(([key, [first, ...others]]) => {
    const [where] = JSON.parse(key) as [string];
    const alike = first?.subject ? others.length : 0;
    const more = alike > 0 ? ` (and likewise for ${alike} more)` : '';
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

/** Prefer the profile that can read more fields. */
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

/** `DEFAULT → 3`; during an update `DEFAULT → 3 (→ 4)`. */
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
  const newest = target.versions.slice(0, NEWEST).map(({ version }) => version);
  const older = target.versions.length - newest.length;
  return `${newest.join(', ')}${older > 0 ? ` and ${older} older` : ''}`;
}

/** The possible uses, with the targets of each. */
function formatUses(targets: readonly (DiscoveredRuntime | DiscoveredGateway)[]): string[] {
  const names = new Map<string, string[]>();
  for (const target of targets) {
    const { sentence } = getCallability(target);
    names.set(sentence, [...(names.get(sentence) ?? []), target.name]);
  }
  return [...names].map(([sentence, all]) => {
    const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : '';
    return `${all.slice(0, NAMED).join(', ')}${more}: ${sentence}.`;
  });
}

function formatAge(found: DiscoveredScope, now: number): string[] {
  const { place, identity, runtimes, gateways, problems } = found;
  const parts = [
    formatCountAndAge(runtimes, 'runtime', now),
    formatCountAndAge(gateways, 'gateway', now),
  ];
  const told = parts.filter((part) => part !== undefined).join(', ');
  if (told === '') return [];
  const who = identity ? `account ${identity.account} as ${formatIdentity(identity)}; ` : '';
  const isOld = problems.length > 0 && [runtimes, gateways].some((one) => one?.source === 'cache');
  const why = isOld ? ', since AWS did not tell now' : '';
  return [`${formatScopeName(place)}: ${who}${told}${why}`];
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
