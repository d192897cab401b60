import type { HttpExchange } from '../../answers/http-exchange.ts';
import type { Answer } from '../../answers/platform-error.ts';
import type { AwsService } from '../service.ts';
import { type AuthorizationRequest, readAuthorizationRequest } from './authorization-request.ts';
import { html } from './html.ts';
import type { IdentityCenter } from './identity-center.ts';
import {
  createDecisionForm,
  createErrorPageResponse,
  createPageResponse,
  createRedirectResponse,
  isCrossSite,
  readDecision,
} from './page.ts';
import { createRedirectUrl } from './redirect-uri.ts';

const PATH = '/authorize';

const MAX_BODY_BYTES = 100_000;

const CANNOT = 'This sign-in cannot go on';

type GoodRequest = Extract<AuthorizationRequest, { readonly kind: 'good' }>;

/** The authorization page. Its form posts to the same URL, so no state is stored in between. */
export class AuthorizePage implements AwsService {
  readonly #center: IdentityCenter;

  constructor(center: IdentityCenter) {
    this.#center = center;
  }

  claims({ path, request: { method } }: HttpExchange): boolean {
    return path === PATH && (method === 'GET' || method === 'POST');
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const body = await exchange.readBody(MAX_BODY_BYTES);
    if (body === 'disconnected') return;
    const request = readAuthorizationRequest(exchange.query, this.#center.clients);
    if (request.kind === 'unusable') {
      exchange.answer(createErrorPageResponse(CANNOT, request.sentence));
    } else if (body === 'too-large' || (isPost(exchange) && isCrossSite(exchange))) {
      exchange.answer(createErrorPageResponse(CANNOT, 'The form came from another page.', 403));
    } else if (request.kind === 'refused') {
      exchange.answer(createRedirectResponse(request.location));
    } else if (isPost(exchange)) {
      exchange.answer(this.#decide(request, new URLSearchParams(body.bytes.toString('utf8'))));
    } else {
      exchange.answer(this.#page(request));
    }
  }

  #decide(request: GoodRequest, form: URLSearchParams): Answer {
    const { redirectUri, state } = request;
    const decision = readDecision(this.#center.config, form);
    if (!decision) return this.#page(request, 'Choose who signs in.');
    if (decision === 'denied') {
      const error_description = 'The user has denied access';
      const parameters = { error: 'access_denied', error_description, state };
      return createRedirectResponse(createRedirectUrl(redirectUri, parameters));
    }
    const code = this.#center.codes.issue({ ...request, user: decision.user });
    return createRedirectResponse(createRedirectUrl(redirectUri, { code, state }));
  }

  #page({ client, redirectUri, scopes }: GoodRequest, mistake?: string): Answer {
    return createPageResponse({
      title: 'Sign in to the local AgentCore',
      status: mistake === undefined ? 200 : 400,
      redirectUri,
      body: html`${mistake === undefined ? undefined : html`<p role="alert">${mistake}</p>\n`}<p><strong>${client.name}</strong> asks for ${scopes.join(', ')}. It gets your answer at ${new URL(redirectUri).host}.</p>
${createDecisionForm(this.#center.config, undefined, {})}`,
    });
  }
}

function isPost({ request }: HttpExchange): boolean {
  return request.method === 'POST';
}
