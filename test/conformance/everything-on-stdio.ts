/** The same server on stdio, for the bridge to start. */
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { everythingServer } from './everything/server.ts';

serveStdio(() => {
  const server = everythingServer({
    toolsChanged: () => server.sendToolListChanged(),
    promptsChanged: () => server.sendPromptListChanged(),
  });
  return server;
});
