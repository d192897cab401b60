#!/usr/bin/env node
import { main } from './main.ts';

await main(async (env, streams) =>
  (await import('./run-cli.ts')).runCli(process.argv, env, streams),
);
