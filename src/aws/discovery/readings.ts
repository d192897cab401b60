import { forEachConcurrent } from './bounded.ts';
import type { ControlPlaneReader } from './control-plane-reader.ts';
import {
  type Home,
  toEndpoint,
  toGateway,
  toGatewayDetails,
  toRuntime,
  toRuntimeDetails,
  toVersions,
} from './describe.ts';
import type { DiscoveredGateway, DiscoveredRuntime } from './discovered.ts';
import type { DiscoveryScope } from './place.ts';
import { type Problem, toProblem } from './problem.ts';

/** Concurrent calls for one kind of detail. `Pace` also limits the rate. */
const READ_CONCURRENCY = 8;

/** Maximum items per account and region. More are omitted, with a problem in the result. */
const MAX_ITEMS = 1000;

export interface ReadingContext {
  readonly reader: ControlPlaneReader;
  readonly place: DiscoveryScope;
  readonly home: Home;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * Reads all runtimes. Calls `onChange` with all of them after each update.
 *
 * @returns `undefined` if not even the names could be listed.
 * @throws only the signal's reason.
 */
export async function readRuntimes(
  context: ReadingContext,
  options: { readonly versions: boolean },
  onChange: (runtimes: readonly DiscoveredRuntime[]) => void,
): Promise<readonly DiscoveredRuntime[] | undefined> {
  const { reader, home } = context;
  const known = new Shelf(onChange);
  const pages = mapPages(reader.runtimes(), (summary) => toRuntime(summary, home));
  if (!(await list(context, 'ListAgentRuntimes', pages, known))) return undefined;
  await Promise.all([
    readDetails(context, 'GetAgentRuntime', known, async ({ id }) =>
      toRuntimeDetails(await reader.runtime(id)),
    ),
    readDetails(context, 'ListAgentRuntimeEndpoints', known, async ({ id }) => ({
      endpoints: (await reader.endpoints(id)).map(toEndpoint),
    })),
    options.versions &&
      readDetails(context, 'ListAgentRuntimeVersions', known, async ({ id }) => ({
        versions: toVersions(await reader.versions(id)),
      })),
  ]);
  return known.all;
}

/** Like {@link readRuntimes}, for gateways. */
export async function readGateways(
  context: ReadingContext,
  onChange: (gateways: readonly DiscoveredGateway[]) => void,
): Promise<readonly DiscoveredGateway[] | undefined> {
  const { reader, home } = context;
  const known = new Shelf(onChange);
  const pages = mapPages(reader.gateways(), (summary) => toGateway(summary, home));
  if (!(await list(context, 'ListGateways', pages, known))) return undefined;
  await readDetails(context, 'GetGateway', known, async ({ id }) =>
    toGatewayDetails(await reader.gateway(id)),
  );
  return known.all;
}

/** The items read so far, in list order. */
class Shelf<T extends Named> {
  readonly #items = new Map<string, T>();
  readonly #onChange: (items: readonly T[]) => void;

  constructor(onChange: (items: readonly T[]) => void) {
    this.#onChange = onChange;
  }

  get all(): readonly T[] {
    return [...this.#items.values()];
  }

  put(items: readonly T[]): void {
    for (const item of items) this.#items.set(item.id, item);
    this.#onChange(this.all);
  }

  add(id: string, details: Partial<T>): void {
    const item = this.#items.get(id);
    if (item) this.put([{ ...item, ...details }]);
  }
}

/** @returns true if at least one page was read, even an empty one. */
async function list<T extends Named>(
  context: ReadingContext,
  api: string,
  pages: AsyncIterable<readonly T[]>,
  known: Shelf<T>,
): Promise<boolean> {
  let hasPage = false;
  try {
    for await (const items of pages) {
      hasPage = true;
      const room = MAX_ITEMS - known.all.length;
      known.put(items.slice(0, room));
      if (items.length > room) {
        const sentence = `Only the first ${MAX_ITEMS} of ${api} are shown`;
        const { place } = context;
        context.onProblem({ place, kind: 'bound', api, subject: undefined, sentence });
        break;
      }
    }
  } catch (thrown) {
    context.signal.throwIfAborted();
    context.onProblem(toProblem(thrown, context.place, api, undefined));
  }
  return hasPage;
}

async function readDetails<T extends Named>(
  context: ReadingContext,
  api: string,
  known: Shelf<T>,
  ask: (item: T) => Promise<Partial<T>>,
): Promise<void> {
  await forEachConcurrent(known.all, READ_CONCURRENCY, async (item) => {
    try {
      known.add(item.id, await ask(item));
    } catch (thrown) {
      context.signal.throwIfAborted();
      context.onProblem(toProblem(thrown, context.place, api, item.name));
    }
  });
}

async function* mapPages<A, B>(
  pages: AsyncIterable<readonly A[]>,
  map: (item: A) => B,
): AsyncGenerator<readonly B[]> {
  for await (const page of pages) yield page.map(map);
}
