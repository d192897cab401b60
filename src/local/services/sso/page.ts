import { createHash } from 'node:crypto';
import type { HttpExchange } from '../../answers/http-exchange.ts';
import type { Answer } from '../../answers/platform-error.ts';
import { Html, html } from './html.ts';
import type { SsoConfig } from './sso-config.ts';

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
   * Final redirect of the form, if it leaves this origin. Browsers apply `form-action` to
   * redirects.
   */
  readonly redirectUri?: string;
}

/** A page of the identity center. It needs no script and no external resource. */
export function createPageResponse({ title, body, status = 200, redirectUri }: Page): Answer {
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

/** An error page. */
export function createErrorPageResponse(title: string, sentence: string, status = 400): Answer {
  return createPageResponse({ title, status, body: html`<p role="alert">${sentence}</p>` });
}

/** Redirects by 303, so the browser always follows with GET. */
export function createRedirectResponse(location: string): Answer {
  return { status: 303, headers: { Location: location, 'Cache-Control': 'no-store' }, body: '' };
}

/** Whether another site caused the browser to send this form. */
export function isCrossSite(exchange: HttpExchange): boolean {
  const site = exchange.header('sec-fetch-site');
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

/** A form with a choice of users and two buttons. Denying needs no choice. */
export function createDecisionForm(
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
 * The decision of the user; `undefined` if it is neither an approval with a known user nor a
 * denial.
 */
export function readDecision(
  { users }: SsoConfig,
  form: URLSearchParams,
): { readonly user: string } | 'denied' | undefined {
  if (form.get('decision') === 'deny') return 'denied';
  const user = form.get('user') ?? '';
  const chosen = form.get('decision') === 'approve' && Object.hasOwn(users, user);
  return chosen ? { user } : undefined;
}

/** A CSP cannot contain an IPv6 address, so allow its whole scheme. */
function getFormTarget(redirectUri: string): string {
  const { hostname, origin } = new URL(redirectUri);
  return hostname.startsWith('[') ? 'http:' : origin;
}
