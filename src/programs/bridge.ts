import { main } from './main.ts';

await main(async (env, streams) => (await import('./run-bridge.ts')).runBridge(env, streams));
