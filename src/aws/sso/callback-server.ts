import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const HOST = '127.0.0.1';

const PATH = '/oauth/callback';

/** The OAuth callback from the browser. The browser waits for its page until `finish` is called. */
export interface CallbackAnswer {
  /** To exchange for a token. Absent if the sign-in was denied. */
  readonly code: string | undefined;
  /** OAuth's error description. */
  readonly refusal: string | undefined;
  /** Resolves when the page was sent or the browser disconnected. */
  finish(isSignedIn: boolean): Promise<void>;
}

/** Local server for the sign-in redirect. It has one path and accepts one callback. */
export class CallbackServer {
  readonly redirectUri: string;
  /** Never rejects. The caller must set a timeout. */
  readonly answer: Promise<CallbackAnswer>;
  readonly #server: Server;
  readonly #state: string;
  #isAnswered = false;
  #onAnswer: (answer: CallbackAnswer) => void = () => {};

  private constructor(server: Server, state: string) {
    this.#server = server;
    this.#state = state;
    this.redirectUri = `http://${HOST}:${(server.address() as AddressInfo).port}${PATH}`;
    this.answer = new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
    server.on('request', (request, response) => this.#serve(request, response));
  }

  /** @param state A secret for the opened page, returned in the callback. */
  static async listen(state: string): Promise<CallbackServer> {
    const server = createServer();
    server.listen(0, HOST);
    await once(server, 'listening');
    return new CallbackServer(server, state);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(request.url ?? '', this.redirectUri);
    if (request.method !== 'GET' || url?.pathname !== PATH || this.#isAnswered) {
      return void show(response, NOT_FOUND);
    }
    const query = url.searchParams;
    const state = query.get('state');
    const error = query.get('error');
    const code = query.get('code');
    // Any page can redirect a browser here. Ignore callbacks without our state, including errors.
    const isOurs = query.getAll('state').length === 1 && state === this.#state;
    if (!isOurs || (code === null && error === null)) return void show(response, FOREIGN_ANSWER);
    this.#isAnswered = true;
    this.#onAnswer({
      code: error === null ? (code ?? undefined) : undefined,
      refusal: error === null ? undefined : query.get('error_description') || error,
      finish: (isSignedIn) => show(response, isSignedIn ? SIGNED_IN : NOT_SIGNED_IN),
    });
  }
}

/** Also resolves if the browser has disconnected. */
async function show(response: ServerResponse, page: CallbackPage): Promise<void> {
  if (response.destroyed) return;
  const closed = once(response, 'close');
  response.writeHead(page.status, PAGE_HEADERS).end(renderPage(page));
  await closed.catch(() => undefined);
}

/** The page that the browser shows after the sign-in. */
interface CallbackPage {
  readonly status: number;
  readonly title: string;
  readonly text: string;
}

const SIGNED_IN: CallbackPage = {
  status: 200,
  title: 'Signed in',
  text: 'AgentCore MCP is signed in to AWS. You can close this page.',
};

const NOT_SIGNED_IN: CallbackPage = {
  status: 400,
  title: 'Not signed in',
  text: 'The sign-in failed. Close this page and read the message of AgentCore MCP.',
};

const FOREIGN_ANSWER: CallbackPage = {
  status: 400,
  title: 'Not this sign-in',
  text: 'This page belongs to an earlier sign-in. Start again from AgentCore MCP.',
};

const NOT_FOUND: CallbackPage = {
  status: 404,
  title: 'Not found',
  text: 'This page does not exist.',
};

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  // The page's URL contains the authorization code.
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
} as const;

function renderPage({ title, text }: CallbackPage): string {
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
