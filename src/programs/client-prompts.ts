import { randomUUID } from 'node:crypto';
import type { CredentialPrompts } from '../aws/credentials/prompts.ts';
import type { SsoContext } from '../aws/sso/sso-context.ts';
import { AgentCoreError } from '../error.ts';
import { isObject, type JsonObject, makeRequest, numericId, resultOf } from '../mcp/message.ts';
import type { Peer } from '../relay/peer.ts';

/** Milliseconds that a question stays open. */
const ANSWER_WITHIN = 60_000;
/** The same for a login, where a page has to be opened and read. */
const LOGIN_WITHIN = 120_000;

/** How a client can ask its user something, by what it declared. */
interface Elicitation {
  readonly form: boolean;
  readonly url: boolean;
}

/**
 * Asks the user of the client that is connected, by MCP's elicitation: from the answer to
 * `initialize` on, and where the client can. It stands in front of all interceptors, so that what
 * is asked and answered here reaches neither the server nor the journal.
 */
export class ClientPrompts implements CredentialPrompts {
  readonly #context: SsoContext;
  #client: Peer | undefined;
  #can: Elicitation = { form: false, url: false };
  /** One question at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: SsoContext) {
    this.#context = context;
  }

  /** The server behind, with an ear on what the client says of itself. */
  before(server: Peer): Peer {
    return {
      notify: (notification, exchange) => server.notify(notification, exchange),
      request: async (request, exchange) => {
        const response = await server.request(request, exchange);
        if (request.method === 'initialize' && !response.error) {
          this.#client = exchange.back;
          this.#can = elicitationOf(request.params);
        }
        return response;
      },
    };
  }

  async mfaCode(serial: string, signal: AbortSignal): Promise<string> {
    const content = await this.#inTurn(signal, () => {
      if (!this.#can.form) throw unavailable();
      return this.#ask(signal, ANSWER_WITHIN, {
        message: `AWS wants the code that the MFA device ${serial} shows now.`,
        requestedSchema: {
          type: 'object',
          properties: { code: { type: 'string', title: 'MFA code', minLength: 6, maxLength: 8 } },
          required: ['code'],
        },
      });
    });
    const code = isObject(content) ? content.code : undefined;
    if (typeof code === 'string' && /^\s*\d{6,8}\s*$/.test(code)) return code.trim();
    throw new AgentCoreError('credentials', 'what was entered is not a code of digits');
  }

  async login(profile: string, reason: string, signal: AbortSignal): Promise<boolean> {
    if (!this.#can.form && !this.#can.url) return false;
    return this.#inTurn(signal, async () => {
      if (this.#can.url && (await this.#loginByPage(profile, signal))) return true;
      if (!this.#can.form) return false;
      await this.#ask(signal, LOGIN_WITHIN, {
        message: `${reason}. The call goes on by itself then.`,
        requestedSchema: { type: 'object', properties: {} },
      });
      return true;
    });
  }

  /** @returns false where this profile has no login of that kind; throws where the user declines. */
  async #loginByPage(profile: string, signal: AbortSignal): Promise<boolean> {
    const [{ login }, { findSsoSession }] = await Promise.all([
      import('../aws/sso/login.ts'),
      import('../aws/sso/sso-session.ts'),
    ]);
    const session = await findSsoSession({ profile }, this.#context.env).catch(() => undefined);
    if (!session) return false;
    const prompts = {
      // Only the client opens pages, when its user has clicked.
      openBrowser: async () => false,
      progress: () => undefined,
      showCode: async (code: {
        readonly userCode: string;
        readonly verificationUri: string;
        readonly verificationUriComplete: string | undefined;
      }) => {
        await this.#ask(signal, LOGIN_WITHIN, {
          mode: 'url',
          elicitationId: randomUUID(),
          url: code.verificationUriComplete ?? code.verificationUri,
          message: `The AWS login of profile "${profile}" has expired. Sign in on this page, and confirm the code ${code.userCode}.`,
        });
      },
    };
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOGIN_WITHIN)]);
    await login(session, prompts, {
      context: this.#context,
      signal: within,
      device: true,
      force: true,
    });
    return true;
  }

  /** Resolves with what was entered; throws with the reason where nothing was. */
  async #ask(signal: AbortSignal, milliseconds: number, params: JsonObject): Promise<unknown> {
    const client = this.#client;
    if (!client) throw unavailable();
    const late = AbortSignal.timeout(milliseconds);
    const exchange = { signal: AbortSignal.any([signal, late]), back: nobody };
    let response: Awaited<ReturnType<Peer['request']>>;
    try {
      response = await client.request(
        makeRequest(numericId(0), 'elicitation/create', params),
        exchange,
      );
    } catch (cause) {
      if (!late.aborted) throw cause;
      const reason = `nobody answered within ${milliseconds / 1000} s`;
      throw new AgentCoreError('credentials', reason, { cause });
    }
    const result = response.error ? undefined : resultOf(response);
    if (!isObject(result))
      throw new AgentCoreError('credentials', 'the client could not ask for it');
    if (result.action !== 'accept') throw new AgentCoreError('credentials', 'it was declined');
    return result.content;
  }

  async #inTurn<T>(signal: AbortSignal, question: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(() => {
      signal.throwIfAborted();
      return question();
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

/** An empty `elicitation` means forms (MCP 2025-11-25, "Elicitation"). */
function elicitationOf(params: JsonObject | undefined): Elicitation {
  const capabilities = isObject(params?.capabilities) ? params.capabilities : {};
  const { elicitation } = capabilities;
  if (!isObject(elicitation)) return { form: false, url: false };
  const url = isObject(elicitation.url);
  return { form: isObject(elicitation.form) || !url, url };
}

function unavailable(): AgentCoreError {
  return new AgentCoreError('credentials', 'the client cannot ask for it now');
}

/** Whoever answers an elicitation has nothing to ask in turn. */
const nobody: Peer = {
  request: () => Promise.reject(unavailable()),
  notify: () => Promise.resolve(),
};
