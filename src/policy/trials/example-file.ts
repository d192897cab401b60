import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import type { JsonObject } from '../../mcp/message.ts';
import { DocumentText, type Problem } from '../documents/document-text.ts';

const exampleSchema = z
  .strictObject({
    name: z.string().optional(),
    /** The tool to call. */
    call: z.string().optional(),
    args: z.record(z.string(), z.unknown()).optional(),
    method: z.string().optional(),
    params: z.record(z.string(), z.unknown()).optional(),
    from: z.enum(['client', 'server']).optional(),
    caller: z.string().optional(),
    runtime: z.string().optional(),
    annotations: z.record(z.string(), z.unknown()).optional(),
    inputSchema: z.record(z.string(), z.unknown()).optional(),
    times: z.number().int().min(1).max(100_000).optional(),
    expect: z.enum(['allow', 'ask', 'deny']),
    rule: z.string().optional(),
  })
  .superRefine(({ call, method }, context) => {
    if ((call === undefined) === (method === undefined)) {
      context.addIssue('an example has either "call" with the name of a tool, or "method"');
    }
  });

const fileSchema = z.strictObject({
  policy: z.union([z.string(), z.array(z.string()).min(1)], {
    error: 'expected the path of a document, or a list of them',
  }),
  examples: z
    .array(exampleSchema, { error: 'expected a list of examples' })
    .min(1, 'there is no example')
    .max(10_000),
});

/** A message and the expected decision. */
export interface Example {
  readonly name: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly from: 'client' | 'server';
  readonly caller: string | undefined;
  readonly runtime: string | undefined;
  /** Annotations of the tool, if the example has any. */
  readonly annotations: JsonObject | undefined;
  readonly inputSchema: JsonObject | undefined;
  /** Number of times to send it. All but the last must be allowed. */
  readonly times: number;
  readonly expect: 'allow' | 'ask' | 'deny';
  /** JSON pointer of the expected rule. */
  readonly rule: string | undefined;
  /** Line in the file. */
  readonly line: number;
}

interface ExampleFile {
  /** Absolute paths. */
  readonly policies: readonly string[];
  readonly examples: readonly Example[];
}

/** Reads a file of examples. Relative paths start at its folder. */
export function readExamples(
  text: string,
  file: string,
): ExampleFile | { readonly problems: readonly Problem[] } {
  const source = new DocumentText(text, file);
  if (source.problems.length > 0) return { problems: source.problems };
  const parsed = fileSchema.safeParse(source.value ?? {});
  if (!parsed.success) {
    return {
      problems: parsed.error.issues.flatMap((issue) => source.toProblems(issue)),
    };
  }
  const { policy, examples } = parsed.data;
  const policies = [policy].flat().map((path) => resolve(dirname(resolve(file)), path));
  return {
    policies,
    examples: examples.map((example, index) => {
      const { call, args = {}, method = 'tools/call', params, expect } = example;
      const name =
        example.name ?? `${call ?? method} ${JSON.stringify(call ? args : (params ?? {}))}`;
      return {
        name,
        method,
        params: call === undefined ? (params ?? {}) : { name: call, arguments: args },
        from: example.from ?? 'client',
        caller: example.caller,
        runtime: example.runtime,
        annotations: example.annotations,
        inputSchema: example.inputSchema,
        times: example.times ?? 1,
        expect,
        rule: example.rule,
        line: source.problem(['examples', index], '').line,
      };
    }),
  };
}
