import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * Serves `/mcp` where AgentCore looks for it: on port 8000 of all interfaces. The local runtime
 * tells another place by PORT and HOST.
 */
export function listen(
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): void {
  const port = Number(process.env.PORT ?? 8000);
  const host = process.env.HOST ?? '0.0.0.0';
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/mcp') {
      response.writeHead(404).end();
      return;
    }
    serve(request, response).catch((error: Error) => response.destroy(error));
  });
  // A stream may be silent for as long as its call runs; AgentCore sets the limits.
  server.requestTimeout = 0;
  server.listen(port, host, () => console.error(`Listening on ${host}:${port}`));
  // A container is ended by SIGTERM, and nothing of a session outlives it.
  process.on('SIGTERM', () => process.exit(0));
}
