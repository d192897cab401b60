import { readFileSync } from 'node:fs';
import type { ToolName } from './tools.ts';

/** One run of a tool, recorded by its server before it did the work. */
export interface Execution {
  readonly key: string;
  readonly tool: ToolName;
  readonly process: number;
  readonly at: number;
}

/** The executions that the server recorded, by the key of the call. */
export function readExecutions(file: string): ReadonlyMap<string, readonly Execution[]> {
  const byKey = new Map<string, Execution[]>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const execution: Execution = JSON.parse(line);
    const others = byKey.get(execution.key);
    if (others) others.push(execution);
    else byKey.set(execution.key, [execution]);
  }
  return byKey;
}
