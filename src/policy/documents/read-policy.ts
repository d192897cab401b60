import {
  type BodyInput,
  type DocumentInput,
  documentSchema,
  type EntryInput,
} from './document-schema.ts';
import { DocumentText, type Problem } from './document-text.ts';
import { createNamePattern } from './name-pattern.ts';
import type {
  ApprovalMark,
  Counter,
  Entry,
  Mark,
  Policy,
  PolicyBody,
  Rule,
  Section,
  SubjectKind,
} from './policy.ts';
import { compilePattern, type FindCounter } from './read-guards.ts';
import { readRules, readWindow } from './read-rules.ts';
import { readDuration } from './windows.ts';

type ReadPolicy =
  | { readonly policy: Policy; readonly problems: readonly [] }
  | { readonly policy?: undefined; readonly problems: readonly Problem[] };

/** Default time in milliseconds until a question to a person expires. */
const APPROVAL_TIMEOUT = 120_000;

const APPROVE_KINDS = ['destructive', 'write', 'billable'] as const;

/**
 * Parses a policy document in any supported format: Intercept's YAML, PolicyLayer's JSON, catalog
 * snippets, and our extensions. Returns every problem with its position.
 */
export function parsePolicy(text: string, file: string): ReadPolicy {
  const source = new DocumentText(text, file, true);
  if (source.problems.length > 0) return { problems: source.problems };
  const unusable = findUnusableKeys(source.value);
  if (unusable.length > 0) {
    return {
      problems: unusable.map((path) => source.problem(path, 'cannot be the name of anything')),
    };
  }
  const parsed = documentSchema.safeParse(source.value ?? {});
  if (!parsed.success) {
    return { problems: parsed.error.issues.flatMap((issue) => source.toProblems(issue)) };
  }
  const problems: Problem[] = [];
  const reader = new PolicyReader(parsed.data, (path, message) => {
    problems.push(source.problem(path, message));
  });
  const policy = reader.read(file);
  return problems.length > 0 ? { problems } : { policy, problems: [] };
}

type Path = readonly (string | number)[];

class PolicyReader {
  readonly #document: DocumentInput;
  readonly #complain: (path: readonly PropertyKey[], message: string) => void;
  readonly #counters = new Map<string, Counter>();

  constructor(
    document: DocumentInput,
    complain: (path: readonly PropertyKey[], message: string) => void,
  ) {
    this.#document = document;
    this.#complain = complain;
  }

  read(file: string): Policy {
    const document = this.#document;
    // Reads counters first, because a rule may refer to a counter of a later entry.
    this.#eachEntry((entry, kind, name, path) => this.#declare(entry, kind, name, path));
    const sections = (['runtimes', 'callers'] as const).flatMap((of) =>
      (document[of] ?? []).map(
        (section, index): Section => ({
          ...this.#body(section, [of, index]),
          of,
          matching: section.match.map(createNamePattern),
        }),
      ),
    );
    const body = this.#body(document, []);
    document.redact?.patterns?.forEach(({ pattern }, index) => {
      compilePattern(pattern, (message) =>
        this.#complain(['redact', 'patterns', index, 'pattern'], message),
      );
    });
    const { approvals } = document;
    return {
      file,
      body,
      sections,
      needsCaller:
        sections.some(({ of }) => of === 'callers') || [body, ...sections].some(hasGrantLimit),
      approvals: {
        timeout: readDuration(approvals?.timeout ?? '') ?? APPROVAL_TIMEOUT,
        dedupe: readDuration(approvals?.dedupe_window ?? '') ?? 0,
      },
      auditRequired: document.audit === 'required',
      redact: document.redact,
    };
  }

  #body(input: BodyInput, path: Path): PolicyBody {
    const at = (...more: Path) => toJsonPointer([...path, ...more]);
    const marks = (
      key: 'hide' | 'hide_prompts' | 'hide_resources' | 'billable',
      kind: SubjectKind,
    ) =>
      (input[key] ?? []).map(
        (name, index): Mark => ({ kind, name: createNamePattern(name), pointer: at(key, index) }),
      );
    const entries: Entry[] = [];
    this.#visitEntries(input, path, (entry, kind, name, entryPath) => {
      entries.push(this.#entry(entry, kind, name, entryPath));
    });
    return {
      default: input.default && { effect: input.default, pointer: at('default') },
      hidden: [
        ...marks('hide', 'tool'),
        ...marks('hide_prompts', 'prompt'),
        ...marks('hide_resources', 'resource'),
      ],
      catalog: input.catalog && {
        names: input.catalog.map(createNamePattern),
        pointer: at('catalog'),
      },
      billable: marks('billable', 'tool'),
      approve: (input.approve ?? []).map(
        (name, index): ApprovalMark => ({
          of: APPROVE_KINDS.find((kind) => kind === name) ?? createNamePattern(name),
          pointer: at('approve', index),
        }),
      ),
      // Exact names come first, then globs, then `*`.
      entries: entries.toSorted((a, b) => getGenerality(a) - getGenerality(b)),
      budgets: (input.budgets ?? []).map((budget, index) => ({
        pointer: at('budgets', index),
        name: undefined,
        message: budget.on_deny,
        unit: budget.usd === undefined ? 'sessions' : 'usd',
        most: budget.usd ?? budget.sessions ?? 0,
        window: readWindow(budget.window),
      })),
    };
  }

  #entry(entry: EntryInput, kind: SubjectKind, name: string, path: Path): Entry {
    const pointer = toJsonPointer(path);
    return {
      kind,
      name: createNamePattern(name),
      pointer,
      lists: name !== '*',
      describe: entry.describe,
      rules: this.#rules(entry, kind, name, path, (reference) => this.#counters.get(reference)),
    };
  }

  #rules(
    entry: EntryInput,
    kind: SubjectKind,
    name: string,
    path: Path,
    counterOf: FindCounter,
    complain = this.#complain,
  ): Rule[] {
    return readRules(entry, {
      pointer: toJsonPointer(path),
      scopeName: getScopeName(kind, name),
      counterOf,
      complain: (more, message) => complain([...path, ...more], message),
    });
  }

  /** Collects the counters of an entry. Defining a counter twice in one entry is an error. */
  #declare(entry: EntryInput, kind: SubjectKind, name: string, path: Path): void {
    const seen = new Set<string>();
    const anyCounter = { key: '', window: readWindow('day'), scope: 'session' } as const;
    const ignore = () => undefined;
    for (const rule of this.#rules(entry, kind, name, path, () => anyCounter, ignore)) {
      if (rule.kind !== 'limit') continue;
      const reference = `state.${rule.counter.key}`;
      if (seen.has(reference)) {
        const where = rule.pointer.slice(toJsonPointer(path).length + 1).split('/');
        this.#complain(
          [...path, ...where],
          `counts "${rule.counter.key}" a second time in this entry`,
        );
      }
      seen.add(reference);
      const known = this.#counters.get(reference);
      if (
        known &&
        (known.window.words !== rule.counter.window.words || known.scope !== rule.counter.scope)
      ) {
        this.#complain(
          path,
          `counts "${rule.counter.key}" over another window or scope than elsewhere`,
        );
      }
      this.#counters.set(reference, rule.counter);
    }
  }

  #eachEntry(visit: VisitEntry): void {
    this.#visitEntries(this.#document, [], visit);
    for (const part of ['runtimes', 'callers'] as const) {
      this.#document[part]?.forEach((section, index) => {
        this.#visitEntries(section, [part, index], visit);
      });
    }
  }

  #visitEntries(input: BodyInput, path: Path, visit: VisitEntry): void {
    for (const [key, kind] of ENTRY_KEYS) {
      for (const [name, entry] of Object.entries(input[key] ?? {})) {
        visit(entry ?? {}, kind, name, [...path, key, name]);
      }
    }
    if (input.all_tools) visit(input.all_tools, 'tool', '*', [...path, 'all_tools']);
  }
}

type VisitEntry = (entry: EntryInput, kind: SubjectKind, name: string, path: Path) => void;

const ENTRY_KEYS = [
  ['tools', 'tool'],
  ['prompts', 'prompt'],
  ['resources', 'resource'],
  ['methods', 'method'],
] as const;

/** The prefix of an entry's counters in conditions: the tool's name, or `_global` for `*`. */
function getScopeName(kind: SubjectKind, name: string): string {
  const own = name === '*' ? '_global' : name;
  return kind === 'tool' ? own : `${kind}:${own}`;
}

function getGenerality({ name }: Entry): number {
  if (name.text === '*') return 2;
  return /[*?]/.test(name.text) ? 1 : 0;
}

function hasGrantLimit({ entries }: PolicyBody): boolean {
  return entries.some(({ rules }) =>
    rules.some((rule) => rule.kind === 'limit' && rule.counter.scope === 'grant'),
  );
}

/** JavaScript objects silently ignore `__proto__`, and a rule under that name would be lost. */
function findUnusableKeys(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) =>
    key === '__proto__' ? [[...path, key]] : findUnusableKeys(below, [...path, key]),
  );
}

/** RFC 6901. */
function toJsonPointer(path: Path): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
