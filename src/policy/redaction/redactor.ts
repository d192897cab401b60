import { randomInt } from 'node:crypto';
import { runInSlices, type Sliced } from '../../base/async.ts';
import { LruCache } from '../../base/cache.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { createDetectors } from '../../redaction/detectors.ts';
import {
  hasDuplicateKey,
  type LeafRewriter,
  type Rewritten,
  rewriteLeaves,
} from '../../redaction/json-leaves.ts';
import { MessageRewriter } from '../../redaction/rewriter.ts';
import {
  collectPatterns,
  type Detector,
  REDACTION_KINDS,
  type RedactionMode,
  type RedactionRules,
  resolveModes,
} from '../../redaction/rules.ts';
import { createTokenPattern, Digests, type Vault } from '../../redaction/tokens.ts';

interface RedactorOptions {
  /** The rules of all policies. If several apply to a kind, the strictest mode applies. */
  readonly rules: readonly RedactionRules[];
  readonly vault: Vault;
  /** At least 16 random bytes. Must not change during the lifetime of the vault. */
  readonly salt: Buffer;
}

/** The request of a message: the message itself, or the request that it answers. */
export interface RequestInfo {
  readonly method?: string | undefined;
  /** The tool name of a `tools/call`. */
  readonly tool?: string | undefined;
}

/** A redacted message. */
export interface Redacted {
  /** The JSON text of the message. The same string if nothing was changed. */
  readonly json: string;
  /** Number of hidden values by kind. */
  readonly counts: Readonly<Record<string, number>>;
  /** Number of restored tokens. */
  readonly restored: number;
  /** Ids of inserted and of restored tokens, at most 500 each. */
  readonly issuedIds: ReadonlySet<string>;
  readonly restoredIds: ReadonlySet<string>;
}

/** The outcome of one attempt to redact a message. */
interface RewrittenMessage {
  readonly json: string;
  readonly leaves: MessageRewriter;
  readonly hasKeyTwice: boolean;
}

/** Methods whose results are not redacted: they describe the server. */
const SELF_DESCRIPTIONS = new Set(['initialize', 'server/discover', 'tools/list', 'ping']);

/** Members of a result that the client later sends back, to refer to an item. */
const ECHOED = new Set(['uri', 'name', 'nextCursor', 'requestState', 'taskId']);

const MAX_ECHOED = 8 * 1024 * 1024;

/** Maximum attempts to give equal keys random distinct numbers. */
const MAX_RENAMINGS = 3;

/**
 * Hides personal data and secrets of one conversation, and restores the values of tokens for the
 * other side. It checks strings, numbers and keys at any depth. It also checks texts within
 * strings: JSON, lines of JSON, base64 and hexadecimal digits, compressed or not. A large message
 * is processed in slices, so other messages are not delayed.
 */
export class Redactor {
  readonly #options: RedactorOptions;
  readonly #detectors: ReadonlyMap<string, readonly Detector[]>;
  readonly #tokens: RegExp | undefined;
  readonly #digests: Digests;
  readonly #hasOwnPatterns: boolean;
  /** Names sent by the server and not redacted. The client may send them back unchanged. */
  readonly #echoes = new LruCache<true>(MAX_ECHOED, (key) => key.length + 50);
  readonly #modes = new LruCache<ReadonlyMap<string, RedactionMode>>(
    100_000,
    (key) => key.length + 50,
  );

  private constructor(
    options: RedactorOptions,
    detectors: ReadonlyMap<string, readonly Detector[]>,
  ) {
    this.#options = options;
    this.#detectors = detectors;
    const { rules, salt } = options;
    this.#digests = new Digests(salt);
    const own = collectPatterns(rules).map(({ name }) => name);
    this.#hasOwnPatterns = own.length > 0;
    const tokenizes = (['arguments', 'results'] as const).some((direction) =>
      [...resolveModes(rules, direction, undefined).values()].includes('tokenize'),
    );
    if (!tokenizes) return;
    this.#tokens = createTokenPattern([...REDACTION_KINDS, ...own]);
  }

  /** @throws {AgentCoreError} `config` if a rule cannot be used. */
  static async create(options: RedactorOptions): Promise<Redactor> {
    return new Redactor(options, await createDetectors(options.rules));
  }

  /**
   * Redacts a message of the client for the server. Does not change `jsonrpc`, `id`, `method`, and
   * the server's own names.
   *
   * @param json The text of the whole message.
   * @throws {AgentCoreError} `usage` if the message has a token without a known value; `config` if
   *   the vault cannot store a value.
   */
  async toServer(json: string, about: RequestInfo): Promise<Redacted> {
    return this.#rewritten(json, 'server', this.#modesFor('arguments', about.tool));
  }

  /**
   * Like {@link toServer}, for a message of the server. Throws `protocol` if it has a token without
   * a known value.
   */
  async toClient(json: string, about: RequestInfo): Promise<Redacted> {
    const isHidden = !SELF_DESCRIPTIONS.has(about.method ?? '');
    const modes = isHidden ? this.#modesFor('results', about.tool) : new Map();
    return this.#rewritten(json, 'client', modes);
  }

  #modesFor(direction: 'arguments' | 'results', tool: string | undefined) {
    const key = tool === undefined ? direction : `${direction} ${tool}`;
    let modes = this.#modes.get(key);
    if (!modes) {
      modes = resolveModes(this.#options.rules, direction, tool);
      this.#modes.set(key, modes);
    }
    return modes;
  }

  async #rewritten(
    json: string,
    towards: 'client' | 'server',
    modes: ReadonlyMap<string, RedactionMode>,
  ): Promise<Redacted> {
    const { vault } = this.#options;
    const rewrite = (numberFrom?: number) =>
      runInSlices(this.#rewrite(json, towards, modes, numberFrom));
    let rewriting = await rewrite();
    if (rewriting.leaves.unknown > 0 && (await vault.refresh())) rewriting = await rewrite();
    if (rewriting.leaves.unknown > 0) throw createUnknownTokenError(towards);
    // If a redacted key equals another key of its object, rename the changed keys.
    for (let times = 1; rewriting.hasKeyTwice; times++) {
      if (times > MAX_RENAMINGS) throw createDuplicateKeyError();
      rewriting = await rewrite(randomInt(2 ** 40));
    }
    const { counts, restored, issuedIds, restoredIds, hasNewTokens } = rewriting.leaves;
    if (hasNewTokens) await vault.settled();
    return { json: rewriting.json, counts, restored, issuedIds, restoredIds };
  }

  *#rewrite(
    json: string,
    towards: 'client' | 'server',
    modes: ReadonlyMap<string, RedactionMode>,
    numberFrom?: number,
  ): Sliced<RewrittenMessage> {
    const { vault } = this.#options;
    const leaves = new MessageRewriter(
      {
        detectors: this.#detectors,
        modes,
        hasOwnPatterns: this.#hasOwnPatterns,
        holder: towards,
        vault,
        digests: this.#digests,
      },
      this.#tokens,
    );
    const rewriter: LeafRewriter = {
      string: (text, place) => {
        const { path, isKey } = place;
        if (path.length === 1 && (isKey || isEnvelope(path[0]))) {
          return isEnvelope(path[0]) ? undefined : leaves.string(text, place);
        }
        if (towards === 'server' && !isKey) {
          if (isVersion(path, text)) return undefined;
          if (isName(path) && this.#echoes.get(text)) return undefined;
        }
        const rewritten = leaves.string(text, place);
        const isNamed = towards === 'client' && !isKey && ECHOED.has(path.at(-1) ?? '');
        return isNamed ? this.#remembered(text, rewritten) : rewritten;
      },
      number: (token, place) => (isCode(place.path) ? undefined : leaves.number(token, place)),
    };
    const rewritten = yield* rewriteLeaves(json, rewriter, numberFrom);
    const isUnclear = leaves.hasNewKeys && (yield* hasDuplicateKey(rewritten));
    return { json: rewritten, leaves, hasKeyTwice: isUnclear };
  }

  /**
   * Stores a name of the server if it is not redacted for the client. It may return unchanged.
   */
  *#remembered(text: string, rewritten: Rewritten): Sliced<string | undefined> {
    const token = typeof rewritten === 'object' ? yield* rewritten : rewritten;
    if (token === undefined) this.#echoes.set(text, true);
    return token;
  }
}

function isEnvelope(member: string | undefined): boolean {
  return member === 'jsonrpc' || member === 'id' || member === 'method';
}

function isCode(path: readonly string[]): boolean {
  return isEnvelope(path[0]) || (path.length === 2 && path[0] === 'error' && path[1] === 'code');
}

/**
 * True for `uri`, `name`, `cursor`, … of the params, or of the reference in a completion request.
 */
function isName([first, second, third, ...more]: readonly string[]): boolean {
  if (first !== 'params' || more.length > 0) return false;
  const name = second === 'ref' ? third : third === undefined ? second : undefined;
  return name === 'cursor' || ECHOED.has(name ?? '');
}

/** True for the client's own version. It may look like an IP address. */
function isVersion(path: readonly string[], text: string): boolean {
  const [first, second, third, fourth] = path;
  if (first !== 'params' || !/^\d{1,5}(?:\.\d{1,5}){1,3}$/.test(text)) return false;
  if (second === 'clientInfo') return third === 'version' && path.length === 3;
  const isMeta = second === '_meta' && third === 'io.modelcontextprotocol/clientInfo';
  return isMeta && fourth === 'version' && path.length === 4;
}

function createDuplicateKeyError(): AgentCoreError {
  return new AgentCoreError(
    'usage',
    'Could not redact the message: two keys of one object become the same. Rename one of them.',
  );
}

function createUnknownTokenError(towards: 'client' | 'server'): AgentCoreError {
  return towards === 'server'
    ? new AgentCoreError(
        'usage',
        'The message has a redaction token that is not known here (any more), so it was not sent; get the value again and use that',
      )
    : new AgentCoreError(
        'protocol',
        'The server answered with a redaction token that it was not given, so its answer was not passed on',
      );
}
