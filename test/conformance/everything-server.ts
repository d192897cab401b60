/**
 * The conformance test server as an AgentCore container. It listens at the configured host and
 * port.
 */
import { startEverything } from './everything/endpoint.ts';

await startEverything(Number(process.env.PORT), process.env.HOST);
