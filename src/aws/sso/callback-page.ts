/** The page that the browser shows after the sign-in. */
export interface CallbackPage {
  readonly status: number;
  readonly title: string;
  readonly text: string;
}

export const SIGNED_IN: CallbackPage = {
  status: 200,
  title: 'Signed in',
  text: 'AgentCore MCP is signed in to AWS. You can close this page.',
};

export const NOT_SIGNED_IN: CallbackPage = {
  status: 400,
  title: 'Not signed in',
  text: 'The sign-in did not succeed. Close this page and see what AgentCore MCP says.',
};

export const FOREIGN_ANSWER: CallbackPage = {
  status: 400,
  title: 'Not this sign-in',
  text: 'This page belongs to another sign-in than the one that is under way. Start it again from AgentCore MCP.',
};

export const NOT_FOUND: CallbackPage = {
  status: 404,
  title: 'Not found',
  text: 'There is nothing here.',
};

export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  // The page's URL contains the authorization code.
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
} as const;

export function renderPage({ title, text }: CallbackPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – AgentCore MCP</title>
<style>
:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }
</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${text}</p>
</main>
</body>
</html>
`;
}
