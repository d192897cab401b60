#!/usr/bin/env node
import { main } from '../programs/main.ts';

await main(async (env, streams) =>
  (await import('./commands.ts')).runCli(process.argv, env, streams),
);
