import { randomUUID } from 'node:crypto';
import type { CredentialPrompts } from '../aws/credentials/options.ts';
import type { SsoContext } from '../aws/sso/sso-session.ts';
import { TaskQueue } from '../base/async.ts';
import { AgentCoreError } from '../base/errors.ts';
import {
  createRequest,
  createRequestId,
  isObject,
  type JsonObject,
  type JsonRpcResponse,
  parseResult,
} from '../mcp/message.ts';
import type { Conversation } from '../relay/conversation.ts';
import { createContext } from '../relay/peer.ts';

/** Milliseconds for the user to answer a prompt. */
const RESPONSE_TIMEOUT_MS = 60_000;

/** Milliseconds for a login. It takes longer, because the user must open and read a page. */
const LOGIN_TIMEOUT_MS = 120_000;

/**
 * Asks the client's user for MFA codes and logins by MCP elicitation, if the client supports it.
 * Prompts and answers pass no interceptor, so they reach neither the server nor the journal.
 */
export class ElicitationPrompts implements CredentialPrompts {
  readonly #conversation: Conversation;
  readonly #context: SsoContext;
  /** One prompt at a time. */
  readonly #prompts = new TaskQueue();

  constructor(conversation: Conversation, context: SsoContext) {
    this.#conversation = conversation;
    this.#context = context;
  }

  async mfaCode(serial: string, signal: AbortSignal): Promise<string> {
    const content = await this.#inTurn(signal, () => {
      if (!this.#conversation.elicitation.form) throw createUnavailableError();
      return this.#ask(signal, RESPONSE_TIMEOUT_MS, {
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
    const { form, url } = this.#conversation.elicitation;
    if (!form && !url) return false;
    return this.#inTurn(signal, async () => {
      if (url && (await this.#loginByPage(profile, signal))) return true;
      if (!form) return false;
      await this.#ask(signal, LOGIN_TIMEOUT_MS, {
        message: `${reason}. The call goes on by itself then.`,
        requestedSchema: { type: 'object', properties: {} },
      });
      return true;
    });
  }

  /**
   * Shows the page of an IAM Identity Center login. Resolves with false if the profile has no SSO
   * session. Throws if the user declines.
   */
  async #loginByPage(profile: string, signal: AbortSignal): Promise<boolean> {
    const [{ login }, { findSsoSession }] = await Promise.all([
      import('../aws/sso/login.ts'),
      import('../aws/sso/sso-session.ts'),
    ]);
    const session = await findSsoSession({ profile }, this.#context.env).catch(() => undefined);
    if (!session) return false;
    const prompts = {
      // The client opens the page, after its user has clicked.
      openBrowser: async () => false,
      progress: () => undefined,
      showCode: async (code: {
        readonly userCode: string;
        readonly verificationUri: string;
        readonly verificationUriComplete: string | undefined;
      }) => {
        await this.#ask(signal, LOGIN_TIMEOUT_MS, {
          mode: 'url',
          elicitationId: randomUUID(),
          url: code.verificationUriComplete ?? code.verificationUri,
          message: `The AWS login of profile "${profile}" has expired. Sign in on this page, and confirm the code ${code.userCode}.`,
        });
      },
    };
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOGIN_TIMEOUT_MS)]);
    await login(session, prompts, {
      context: this.#context,
      signal: within,
      device: true,
      force: true,
    });
    return true;
  }

  /** Resolves with the user's input. Throws with the reason if there is none. */
  async #ask(signal: AbortSignal, milliseconds: number, params: JsonObject): Promise<unknown> {
    const late = AbortSignal.timeout(milliseconds);
    let response: JsonRpcResponse;
    try {
      response = await this.#conversation.client.request(
        createRequest(createRequestId(0), 'elicitation/create', params),
        createContext('to-client', { signal: AbortSignal.any([signal, late]) }),
      );
    } catch (cause) {
      if (!late.aborted) throw cause;
      const reason = `there was no answer within ${milliseconds / 1000} s`;
      throw new AgentCoreError('credentials', reason, { cause });
    }
    const result = response.error ? undefined : parseResult(response);
    if (!isObject(result))
      throw new AgentCoreError('credentials', 'the client could not ask for it');
    if (result.action !== 'accept') throw new AgentCoreError('credentials', 'it was declined');
    return result.content;
  }

  #inTurn<T>(signal: AbortSignal, prompt: () => Promise<T>): Promise<T> {
    return this.#prompts.take(async () => {
      signal.throwIfAborted();
      return prompt();
    });
  }
}

function createUnavailableError(): AgentCoreError {
  return new AgentCoreError('credentials', 'the client cannot ask for it now');
}
