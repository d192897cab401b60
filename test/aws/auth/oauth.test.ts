import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createTokenProvider } from '../../../src/aws/auth/authorizer.ts';
import { readAuthorization } from '../../../src/aws/auth/settings.ts';
import { Network } from '../../../src/http/network.ts';
import { serve } from '../credentials/credential-fixtures.ts';

const SECRET = 'hush: of %the client';

type Route = (
  request: IncomingMessage & { readonly body: string },
  response: ServerResponse,
) => void;

/** A server with several paths, which may be resource server and issuer at once. */
async function serveRoutes(routes: Record<string, Route>): Promise<{
  readonly url: string;
  readonly asked: {
    readonly path: string;
    readonly body: string;
    readonly auth: string | undefined;
  }[];
}> {
  const asked: { path: string; body: string; auth: string | undefined }[] = [];
  const url = await serve(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const path = request.url ?? '';
    asked.push({ path, body, auth: request.headers.authorization });
    const route = routes[path];
    if (route) route(Object.assign(request, { body }), response);
    else response.writeHead(404).end();
  });
  return { url, asked };
}

const json =
  (value: object, status = 200, headers: Record<string, string> = {}): Route =>
  (_, response) =>
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(value));

const TOKEN = { access_token: 'hush-token', token_type: 'Bearer', expires_in: 3600 };

function tokenFrom(url: string, env: Record<string, string> = {}) {
  const settings = readAuthorization({
    AGENTCORE_OAUTH_CLIENT_ID: 'app',
    AGENTCORE_OAUTH_CLIENT_SECRET: SECRET,
    ...env,
  });
  const token = createTokenProvider(settings, new URL(`${url}/mcp`), {
    network: new Network({}),
    env: {},
  });
  if (!token) throw new Error('there is no token');
  return token;
}

async function failure(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => undefined,
    (error: Error) => error,
  );
  expect(thrown).toMatchObject({ name: 'AgentCoreError', code: 'credentials' });
  expect(thrown?.message).not.toContain('hush');
  expect(JSON.stringify(thrown?.cause) ?? '').not.toContain('hush');
  return thrown?.message ?? '';
}

/** A resource whose issuer serves these documents at its paths. */
async function discoverable(documents: (url: string) => Record<string, Route>) {
  let url = '';
  const routes: Record<string, Route> = {
    '/mcp': (_, response) =>
      response
        .writeHead(401, {
          'www-authenticate': `Bearer scope="use read", resource_metadata="${url}/metadata?qualifier=DEFAULT"`,
        })
        .end(),
  };
  const server = await serveRoutes(routes);
  url = server.url;
  Object.assign(routes, documents(url));
  return server;
}

describe('an OAuth client', () => {
  it('requests a token from the configured URL with HTTP Basic and the configured parameters', async () => {
    const { url, asked } = await serveRoutes({ '/token': json(TOKEN) });
    const token = tokenFrom(url, {
      AGENTCORE_OAUTH_TOKEN_URL: `${url}/token`,
      AGENTCORE_OAUTH_SCOPES: 'one, two',
      AGENTCORE_OAUTH_AUDIENCE: 'api',
      AGENTCORE_OAUTH_RESOURCE: 'https://resource',
    });
    expect((await token.get()).value).toBe('hush-token');
    expect(asked).toHaveLength(1);
    const basic = Buffer.from(asked[0]?.auth?.split(' ')[1] ?? '', 'base64').toString();
    expect(basic.split(':').map((part) => decodeURIComponent(part.replaceAll('+', ' ')))).toEqual([
      'app',
      SECRET,
    ]);
    expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
      grant_type: 'client_credentials',
      scope: 'one two',
      audience: 'api',
      resource: 'https://resource',
    });
  });

  it('sends its secret in the body once the server has rejected it in the header', async () => {
    const { url, asked } = await serveRoutes({
      '/token': (request, response) =>
        request.headers.authorization
          ? json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' })(
              request,
              response,
            )
          : json({ ...TOKEN, access_token: `token-${asked.length}` })(request, response),
    });
    const token = tokenFrom(url, { AGENTCORE_OAUTH_TOKEN_URL: `${url}/token` });
    expect((await token.get()).value).toBe('token-2');
    expect(new URLSearchParams(asked[1]?.body).get('client_secret')).toBe(SECRET);
    expect(await token.refresh(performance.now())).toBe(true);
    expect(asked).toHaveLength(3);
  });

  it.each(['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'])(
    'discovers the token endpoint through the server’s metadata and the issuer’s %s',
    async (document) => {
      const { url, asked } = await discoverable((url) => ({
        '/metadata?qualifier=DEFAULT': json({
          resource: `${url}/mcp`,
          // AgentCore authorizers are configured with the address of the document itself.
          authorization_servers: [`${url}/.well-known/openid-configuration`],
        }),
        [document]: json({
          issuer: url,
          token_endpoint: `${url}/post-only`,
          token_endpoint_auth_methods_supported: ['client_secret_post'],
        }),
        '/post-only': json(TOKEN),
      }));
      expect((await tokenFrom(url).get()).value).toBe('hush-token');
      const last = asked.at(-1);
      expect(last?.path).toBe('/post-only');
      expect(last?.auth).toBeUndefined();
      // The scope that the server requires, because the settings name none.
      expect(new URLSearchParams(last?.body).get('scope')).toBe('use read');
      expect(asked.filter(({ body }) => body.includes('hush'))).toHaveLength(1);
    },
  );

  it.each<[string, (url: string) => Record<string, Route>, RegExp]>([
    [
      'whose metadata describes another server',
      (url) => ({
        '/metadata?qualifier=DEFAULT': json({
          resource: 'https://elsewhere.example/mcp',
          authorization_servers: [url],
        }),
      }),
      /about another server: set AGENTCORE_OAUTH_TOKEN_URL/,
    ],
    [
      'whose issuer does not use https',
      () => ({
        '/metadata?qualifier=DEFAULT': json({ authorization_servers: ['http://issuer.example'] }),
      }),
      /has no authorization server with an https URL/,
    ],
    [
      'whose issuer has another identifier',
      (url) => ({
        '/metadata?qualifier=DEFAULT': json({ authorization_servers: [url] }),
        '/.well-known/openid-configuration': json({
          issuer: 'https://elsewhere.example',
          token_endpoint: `${url}/token`,
        }),
      }),
      /Could not use the metadata of the OAuth server/,
    ],
    [
      'that redirects',
      () => ({
        '/metadata?qualifier=DEFAULT': (_, response) =>
          response.writeHead(302, { location: 'https://elsewhere.example' }).end(),
      }),
      /could not be read \(HTTP 302\)/,
    ],
  ])('never sends its secret to a server %s', async (_, documents, sentence) => {
    const { url, asked } = await discoverable(documents);
    expect(await failure(tokenFrom(url).get())).toMatch(sentence);
    expect(asked.some(({ auth, body }) => auth !== undefined || body.includes('hush'))).toBe(false);
  });

  it.each<[string, Route, RegExp]>([
    [
      'the server requires no token',
      json({ jsonrpc: '2.0', id: 0, result: {} }),
      /set AGENTCORE_AUTH to none/,
    ],
    [
      'the server requires signatures',
      json({ message: 'Missing Authentication Token' }, 403),
      /set AGENTCORE_AUTH to iam/,
    ],
    [
      'the server names no issuer',
      (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
      /does not name the issuer of its tokens: set AGENTCORE_OAUTH_TOKEN_URL/,
    ],
  ])('names the setting to change if %s', async (_, route, sentence) => {
    const { url } = await serveRoutes({ '/mcp': route });
    expect(await failure(tokenFrom(url).get())).toMatch(sentence);
  });

  it.each<[string, Route, RegExp]>([
    [
      'invalid_client',
      json({ error: 'invalid_client', error_description: 'No such client' }, 401),
      /rejected the request \(HTTP 401, invalid_client: No such client\): check AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET/,
    ],
    [
      'invalid_scope',
      json({ error: 'invalid_scope' }, 400),
      /invalid_scope\): set AGENTCORE_OAUTH_SCOPES/,
    ],
    ['unauthorized_client', json({ error: 'unauthorized_client' }, 400), /for this client/],
    ['a page', (_, response) => response.writeHead(500).end('<html>hush</html>'), /HTTP 500\)/],
    [
      'another type of token',
      json({ ...TOKEN, token_type: 'mac' }),
      /a bearer token from the OAuth server at/,
    ],
    [
      'a redirect',
      (_, response) => response.writeHead(307, { location: 'https://x.example' }).end(),
      /HTTP 307\)/,
    ],
  ])('describes %s in one sentence without a secret', async (_, route, sentence) => {
    const { url } = await serveRoutes({ '/token': route });
    const token = tokenFrom(url, { AGENTCORE_OAUTH_TOKEN_URL: `${url}/token` });
    expect(await failure(token.get())).toMatch(sentence);
  });
});
