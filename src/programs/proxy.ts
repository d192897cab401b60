import { main } from './main.ts';

await main(async (env, streams) => (await import('./run-proxy.ts')).runProxy(env, streams));
