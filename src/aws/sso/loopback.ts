import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CallbackPage,
  FOREIGN_ANSWER,
  html,
  NOT_FOUND,
  NOT_SIGNED_IN,
  PAGE_HEADERS,
  SIGNED_IN,
} from './callback-page.ts';

const HOST = '127.0.0.1';
const PATH = '/oauth/callback';

/** What the browser brought back. It waits for its page until it is told how things ended. */
export interface CallbackAnswer {
  /** To be exchanged for a token; none where the sign-in was refused. */
  readonly code: string | undefined;
  /** OAuth's words on the refusal. */
  readonly refusal: string | undefined;
  /** Resolves when the page is on its way. */
  finish(isSignedIn: boolean): Promise<void>;
}

/** The server on this machine that a sign-in page leads back to: one path, and one answer. */
export class Loopback {
  readonly redirectUri: string;
  /** Never rejects; bounding the wait is up to who waits. */
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

  /** @param state What only the page that was opened can know. */
  static async listen(state: string): Promise<Loopback> {
    const server = createServer();
    server.listen(0, HOST);
    await once(server, 'listening');
    return new Loopback(server, state);
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
    // Any page can lead a browser here, so an answer without our state is nobody's, a refusal too.
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

/** Resolves as well where the browser is gone. */
async function show(response: ServerResponse, page: CallbackPage): Promise<void> {
  if (response.destroyed) return;
  const closed = once(response, 'close');
  response.writeHead(page.status, PAGE_HEADERS).end(html(page));
  await closed.catch(() => undefined);
}
