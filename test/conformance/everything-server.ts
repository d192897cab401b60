/** The server that the conformance suite asks, as a container of AgentCore: it listens where it is told to. */
import { startEverything } from './everything/endpoint.ts';

await startEverything(Number(process.env.PORT), process.env.HOST);
