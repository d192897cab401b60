import { createHash } from 'node:crypto';
import type { SsoConfig } from '../../config/identity-schema.ts';
import type { Answer } from '../../http/errors.ts';
import type { HttpExchange } from '../../http/exchange.ts';
import type { AwsService } from '../../http/service.ts';
import { createRedirectUrl, getGrantedScopes, isRegisteredUri } from './oidc-service.ts';
import type {
  ClientRegistrations,
  DeviceAuthorization,
  IdentityCenter,
  Registration,
} from './sign-ins.ts';

// The sign-in pages of the identity center: device codes and authorization in the browser.

const STYLE = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; }
main, footer { max-width: 34rem; margin: 0 auto; padding: 1rem; }
main { padding-top: 3rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
fieldset { border: 1px solid GrayText; border-radius: .5rem; margin: 1.5rem 0; padding: .5rem 1rem; }
label { display: block; padding: .375rem 0; }
small, footer { color: GrayText; }
code { font-size: 1.25rem; letter-spacing: .1em; }
button, input[name=user_code] { font: inherit; padding: .5rem 1rem; margin-right: .5rem; }
[role=alert] { border-left: .25rem solid #d13212; padding-left: .75rem; }
:focus-visible { outline: .2rem solid Highlight; outline-offset: .1rem; }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

interface Page {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
  /**
   * The URI to which the form finally redirects, if it has another origin. Browsers apply
   * `form-action` to redirects too.
   */
  readonly redirectUri?: string;
}

/** Creates a page of the identity center, without scripts and external resources. */
function createPageResponse({ title, body, status = 200, redirectUri }: Page): Answer {
  const text = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
<footer>The local AgentCore on this machine. No AWS account takes part.</footer>
</body>
</html>
`;
  return {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': [
        "default-src 'none'",
        `style-src 'sha256-${STYLE_HASH}'`,
        `form-action 'self' ${redirectUri ? getFormTarget(redirectUri) : ''}`.trim(),
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
      // With `no-referrer`, the browser would send `Origin: null` with the form.
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    },
    body: text.text,
  };
}

/** Creates an error page. */
function createErrorPageResponse(title: string, sentence: string, status = 400): Answer {
  return createPageResponse({ title, status, body: html`<p role="alert">${sentence}</p>` });
}

/** Creates a redirect with status 303, so the browser always continues with GET. */
function createRedirectResponse(location: string): Answer {
  return { status: 303, headers: { Location: location, 'Cache-Control': 'no-store' }, body: '' };
}

/** Whether the form was sent from a page of another site. */
function isCrossSite(exchange: HttpExchange): boolean {
  const site = exchange.header('sec-fetch-site');
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

/** Creates a form with the users and two buttons. Denying requires no user. */
function createDecisionForm(
  { users }: SsoConfig,
  action: string | undefined,
  hidden: Readonly<Record<string, string>>,
): Html {
  const names = Object.keys(users);
  const choices = names.map((name) => {
    const accounts = Object.entries(users[name]?.accounts ?? {})
      .map(([id, account]) => account.name ?? id)
      .join(', ');
    const checked = names.length === 1 ? html` checked` : undefined;
    return html`<label><input type="radio" name="user" value="${name}" required${checked}> ${name} <small>${accounts || 'no accounts'}</small></label>
`;
  });
  const fields = Object.entries(hidden).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">
`,
  );
  return html`<form method="post"${action === undefined ? undefined : html` action="${action}"`}>
${fields}<fieldset>
<legend>Sign in as</legend>
${choices}</fieldset>
<button name="decision" value="approve">Allow access</button>
<button name="decision" value="deny" formnovalidate>Deny access</button>
</form>`;
}

/**
 * Parses the decision of the user. `undefined` if it is neither a denial nor an approval with an
 * existing user.
 */
function readDecision(
  { users }: SsoConfig,
  form: URLSearchParams,
): { readonly user: string } | 'denied' | undefined {
  if (form.get('decision') === 'deny') return 'denied';
  const user = form.get('user') ?? '';
  const chosen = form.get('decision') === 'approve' && Object.hasOwn(users, user);
  return chosen ? { user } : undefined;
}

/** A CSP cannot contain an IPv6 address, so the whole scheme is allowed instead. */
function getFormTarget(redirectUri: string): string {
  const { hostname, origin } = new URL(redirectUri);
  return hostname.startsWith('[') ? 'http:' : origin;
}

/** Markup in which all untrusted text is escaped. */
class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | Html | readonly Html[] | undefined;

/** A template tag for markup. Escapes strings and inserts `Html` values unchanged. */
function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(String.raw({ raw: strings }, ...parts.map(toMarkup)));
}

function toMarkup(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  return typeof part === 'string' ? escapeHtml(part) : part.map(({ text }) => text).join('');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Paths of the device page. `/start` is the default start URL. */
const PATHS = ['/device', '/start'];

const MAX_DEVICE_BODY_BYTES = 100_000;

/** The page on which a user enters the code of a device, and confirms it. */
export class DevicePage implements AwsService {
  readonly #center: IdentityCenter;

  constructor(center: IdentityCenter) {
    this.#center = center;
  }

  claims({ path, request: { method } }: HttpExchange): boolean {
    return PATHS.includes(path) && (method === 'GET' || method === 'POST');
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const body = await exchange.readBody(MAX_DEVICE_BODY_BYTES);
    if (body === 'disconnected') return;
    const posted = exchange.request.method === 'POST';
    if (body === 'too-large' || (posted && isCrossSite(exchange))) {
      const title = 'This sign-in cannot go on';
      exchange.answer(createErrorPageResponse(title, 'The form came from another page.', 403));
      return;
    }
    const form = new URLSearchParams(posted ? body.bytes.toString('utf8') : exchange.query);
    const userCode = form.get('user_code');
    if (userCode === null) {
      exchange.answer(createEntryPageResponse());
      return;
    }
    const device = this.#center.devices.find(userCode);
    if (!device) {
      exchange.answer(
        createEntryPageResponse('No device waits with this code. It may have expired.'),
      );
      return;
    }
    const isDecision = posted && form.has('decision');
    exchange.answer(isDecision ? this.#decide(device, form) : this.#confirmation(device));
  }

  #decide(device: DeviceAuthorization, form: URLSearchParams): Answer {
    const decision = readDecision(this.#center.config, form);
    if (!decision) return this.#confirmation(device, 'Choose who signs in.');
    this.#center.devices.decide(device, decision);
    const name = html`<strong>${device.client.name}</strong>`;
    return decision === 'denied'
      ? createPageResponse({ title: 'Access denied', body: html`<p>${name} gets no access.</p>` })
      : createPageResponse({
          title: 'Access allowed',
          body: html`<p>${name} has access as ${decision.user}. You may close this page.</p>`,
        });
  }

  #confirmation({ client, userCode }: DeviceAuthorization, mistake?: string): Answer {
    return createPageResponse({
      title: 'Is this the code that you see?',
      status: mistake === undefined ? 200 : 400,
      body: html`${createAlert(mistake)}<p><code>${userCode}</code></p>
<p><strong>${client.name}</strong> asks for ${client.scopes.join(', ')}. Deny it if it shows you another code, or none.</p>
${createDecisionForm(this.#center.config, '/device', { user_code: userCode })}`,
    });
  }
}

/**
 * Creates the form for the code. It uses POST, so URLs and the browser history do not contain the
 * code.
 */
function createEntryPageResponse(mistake?: string): Answer {
  return createPageResponse({
    title: 'Enter the code of your device',
    status: mistake === undefined ? 200 : 400,
    body: html`${createAlert(mistake)}<form method="post" action="/device">
<label for="user-code">Code</label>
<input id="user-code" name="user_code" required autofocus autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20" placeholder="ABCD-EFGH">
<button>Continue</button>
</form>`,
  });
}

function createAlert(mistake: string | undefined) {
  return mistake === undefined ? undefined : html`<p role="alert">${mistake}</p>\n`;
}

const PATH = '/authorize';

const MAX_BODY_BYTES = 100_000;

const CANNOT = 'This sign-in cannot go on';

type GoodRequest = Extract<AuthorizationRequest, { readonly kind: 'good' }>;

/**
 * The authorization page. Its form is sent to the same URL, so the server stores no state between
 * both.
 */
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

/** The request of a browser to the authorization page. */
type AuthorizationRequest =
  | {
      readonly kind: 'good';
      readonly client: Registration;
      readonly redirectUri: string;
      readonly state: string | undefined;
      readonly codeChallenge: string;
      readonly scopes: readonly string[];
    }
  /** An error that a redirect reports to the client. */
  | { readonly kind: 'refused'; readonly location: string }
  /** An error for the user only. The client is unknown, or the redirect URI is not registered. */
  | { readonly kind: 'unusable'; readonly sentence: string };

/** Parses the query of the authorization page (RFC 6749 and RFC 7636). */
function readAuthorizationRequest(
  query: string,
  clients: ClientRegistrations,
): AuthorizationRequest {
  const parameters = new URLSearchParams(query);
  const client = clients.find(parameters.get('client_id') ?? '');
  if (!client) {
    return { kind: 'unusable', sentence: 'The program is not registered, or no longer.' };
  }
  const redirectUri = parameters.get('redirect_uri') ?? '';
  if (!isRegisteredUri(redirectUri, client.redirectUris)) {
    return { kind: 'unusable', sentence: 'The program has not registered its redirect URI.' };
  }
  const state = parameters.get('state') ?? undefined;
  const refused = (error: string, description: string): AuthorizationRequest => ({
    kind: 'refused',
    location: createRedirectUrl(redirectUri, { error, error_description: description, state }),
  });
  if (parameters.get('response_type') !== 'code') {
    return refused('unsupported_response_type', 'The response_type has to be code');
  }
  if (!client.grantTypes.includes('authorization_code')) {
    return refused('unauthorized_client', 'The client is not registered for authorization codes');
  }
  const codeChallenge = parameters.get('code_challenge') ?? '';
  const isS256 = parameters.get('code_challenge_method') === 'S256';
  if (!isS256 || !/^[\w-]{43}$/.test(codeChallenge)) {
    return refused('invalid_request', 'A code_challenge by S256 is required');
  }
  const scopes = getGrantedScopes(client, parseScopes(parameters));
  if (!scopes) return refused('invalid_scope', 'A scope was not registered');
  return { kind: 'good', client, redirectUri, state, codeChallenge, scopes };
}

/** Parses the scopes. The AWS CLI sends `scopes`, but the standard name is `scope`. */
function parseScopes(parameters: URLSearchParams): string[] {
  const text = parameters.get('scopes') ?? parameters.get('scope') ?? '';
  return text.split(/[\s,]+/).filter((scope) => scope !== '');
}
