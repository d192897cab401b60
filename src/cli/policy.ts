import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { getServerName } from '../aws/arn.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, describeFileError, getErrorMessage } from '../base/errors.ts';
import { readRegularText } from '../base/files.ts';
import { pluralize } from '../base/format.ts';
import { escapeControls } from '../base/logger.ts';
import { listTools } from '../client/proxy-client.ts';
import { isObject, type JsonObject } from '../mcp/message.ts';
import { generatePolicy } from '../policy/authoring/generator.ts';
import { findTool, PolicyTest, readExamples, runExample } from '../policy/authoring/test-runner.ts';
import { getPolicyLocations } from '../policy/documents/locations.ts';
import type { Policy } from '../policy/documents/model.ts';
import { parsePolicy } from '../policy/documents/parser.ts';
import {
  DocumentText,
  formatProblem,
  MAX_DOCUMENT_BYTES,
} from '../policy/documents/source-text.ts';

// The verbs `policy check`, `explain`, `init` and `test`.

/** Maximum bytes of a file with a `tools/list` result. Source: the payload limit of AgentCore. */
const MAX_LIST_BYTES = 100 * 1024 * 1024;

interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

interface DocumentOptions {
  /** Paths of policy documents. Default: the documents of the proxy. */
  readonly files?: readonly string[] | undefined;
  readonly json?: boolean | undefined;
}

export interface PolicyExplainOptions extends DocumentOptions {
  /** Name of a tool. Excludes `method`. */
  readonly tool?: string | undefined;
  readonly method?: string | undefined;
  /** JSON object: the arguments of the tool, or the params of the method. */
  readonly args?: string | undefined;
  readonly caller?: string | undefined;
  readonly runtime?: string | undefined;
  /** File with a `tools/list` result, for rules about schemas and annotations. */
  readonly tools?: string | undefined;
}

export interface PolicyTestOptions {
  readonly file: string;
  /** File with a `tools/list` result, for rules about schemas and annotations. */
  readonly tools?: string | undefined;
  readonly json?: boolean | undefined;
}

export interface PolicyInitOptions {
  readonly runtime?: string | undefined;
  /** File with a `tools/list` result. Default: the tools are listed from the runtime. */
  readonly tools?: string | undefined;
  /** Output file. Default: stdout. */
  readonly out?: string | undefined;
}

/**
 * Runs the verb `policy check`: prints each problem as `FILE:LINE:COLUMN: FIELD: problem`.
 *
 * @returns the exit code: 1 if there is a problem.
 * @throws {AgentCoreError} `usage` if there is no document.
 */
export async function runPolicyCheck(
  options: DocumentOptions,
  env: Environment,
  streams: Streams,
): Promise<number> {
  const read = readAll(options, env);
  const problems = read.flatMap((one) => one.problems);
  if (options.json) {
    const files = read.map(({ file, problems: found }) => ({ file, valid: found.length === 0 }));
    streams.stdout.write(`${JSON.stringify({ files, problems }, null, 2)}\n`);
  } else {
    for (const { file, policy, problems: found } of read) {
      for (const problem of found)
        streams.stdout.write(`${escapeControls(formatProblem(problem))}\n`);
      if (policy) streams.stdout.write(`${file}: ok, ${summarizePolicy(policy)}\n`);
    }
  }
  return problems.length > 0 ? 1 : 0;
}

/**
 * Runs the verb `policy explain`: prints the decision on a call, the deciding rule and the limits
 * that count the call.
 *
 * @returns the exit code: 0 for any decision.
 * @throws {AgentCoreError} `usage`, or `config` for an invalid document.
 */
export async function runPolicyExplain(
  options: PolicyExplainOptions,
  env: Environment,
  streams: Streams,
): Promise<number> {
  const { tool, method, caller, runtime = getRuntimeArn(env) ?? '' } = options;
  if ((tool === undefined) === (method === undefined)) {
    throw new AgentCoreError('usage', 'Name a tool, or a method with --method METHOD');
  }
  const args = readObject(options.args);
  const documents = readValid(options, env);
  const listed = options.tools ? readTools(options.tools) : undefined;
  const policies = documents.map(({ policy }) => policy);
  const test = await new PolicyTest(policies, getServerName, Date.now).prepare();
  const params = tool === undefined ? args : { name: tool, arguments: args };
  const facts = { caller, runtime, tool: findTool(listed, params.name) };
  const { effect, match, limits } = await test.evaluate(method ?? 'tools/call', params, facts);
  const findLine = (file: string, pointer: string) => {
    const text = documents.find((one) => one.file === file)?.text;
    return text === undefined ? undefined : getPointerLine(text, file, pointer);
  };
  const rule = match && { ...toLocation(match, findLine), sentence: match.message };
  const counted = limits.map((limit) => ({
    ...toLocation(limit, findLine),
    counter: limit.counter.key,
    amount: limit.amount,
    most: limit.most,
    window: limit.counter.window.label,
    scope: limit.counter.scope,
  }));
  if (options.json) {
    streams.stdout.write(`${JSON.stringify({ effect, rule, limits: counted }, null, 2)}\n`);
    return 0;
  }
  streams.stdout.write(`${effect}${rule ? `: ${escapeControls(rule.sentence)}` : ''}\n`);
  if (rule?.file) streams.stdout.write(`  by ${rule.file}:${rule.line ?? 1} ${rule.pointer}\n`);
  for (const { file, line, amount, most, window, scope, counter } of counted) {
    const bound = most === undefined ? 'without a limit' : `of ${most} per ${window}`;
    streams.stdout.write(
      `  counts ${amount} ${bound} (${counter}, ${scope}) by ${file}:${line ?? 1}\n`,
    );
  }
  return 0;
}

/**
 * Runs the verb `policy init`: generates a policy from the tools of a runtime.
 *
 * @returns 0.
 * @throws {AgentCoreError} `usage` if the output file exists, `config` if it could not be written;
 *   otherwise like {@link listTools}.
 */
export async function runPolicyInit(
  options: PolicyInitOptions,
  env: Environment,
  streams: Streams,
): Promise<number> {
  const { out, tools: file } = options;
  if (out !== undefined && existsSync(out)) {
    throw new AgentCoreError('usage', `${out} already exists: remove it, or name another file`);
  }
  const runtime = options.runtime ?? getRuntimeArn(env);
  const tools = file ? readTools(file) : await listTools(runtime, env);
  const text = generatePolicy(tools, file ?? runtime ?? 'the runtime');
  if (out === undefined) {
    streams.stdout.write(text);
    return 0;
  }
  try {
    await writeFile(out, text, { flag: 'wx' });
  } catch (cause) {
    throw new AgentCoreError('config', `Could not write ${out}: ${describeFileError(cause)}`, {
      cause,
    });
  }
  streams.stdout.write(
    `${out}: ${pluralize(tools.length, 'tool')}. Apply it with AGENTCORE_POLICY=${resolve(out)}\n`,
  );
  return 0;
}

/**
 * Runs the verb `policy test`: compares decisions with a file of examples.
 *
 * @returns the exit code: 1 if a decision differs from its example.
 * @throws {AgentCoreError} `config` if a file is invalid.
 */
export async function runPolicyTest(
  options: PolicyTestOptions,
  env: Environment,
  streams: Streams,
): Promise<number> {
  const { file } = options;
  const read = readExamples(readRegularText(file, MAX_DOCUMENT_BYTES), file);
  if ('problems' in read) {
    throw new AgentCoreError('config', read.problems.map(formatProblem).join('\n'));
  }
  const documents = readValid({ files: read.policies }, env);
  const policies = documents.map(({ policy }) => policy);
  const tools = options.tools ? readTools(options.tools) : undefined;
  const runtime = getRuntimeArn(env);
  const results: { name: string; line: number; mistake: string | undefined }[] = [];
  for (const example of read.examples) {
    const mistake = await runExample(example, policies, Date.now(), {
      tools,
      runtime,
      serverName: getServerName,
    });
    results.push({ name: example.name, line: example.line, mistake });
  }
  const failed = results.filter(({ mistake }) => mistake !== undefined);
  if (options.json) {
    streams.stdout.write(`${JSON.stringify({ file, results }, null, 2)}\n`);
  } else {
    for (const { name, line, mistake } of failed) {
      streams.stdout.write(`${file}:${line}: ${escapeControls(`${name}: ${mistake}`)}\n`);
    }
    streams.stdout.write(`${results.length - failed.length} of ${results.length} examples pass\n`);
  }
  return failed.length > 0 ? 1 : 0;
}

interface ReadDocument {
  readonly file: string;
  readonly text: string;
  readonly policy: Policy | undefined;
  readonly problems: ReturnType<typeof parsePolicy>['problems'];
}

function readAll({ files = [] }: DocumentOptions, env: Environment): ReadDocument[] {
  const present = getPolicyLocations(env).filter(
    ({ path, isRequired }) => isRequired || existsSync(path),
  );
  const paths = files.length > 0 ? files : present.map(({ path }) => path);
  if (paths.length === 0) {
    throw new AgentCoreError(
      'usage',
      'There is no policy: name a document (for explain, with --file), or set AGENTCORE_POLICY',
    );
  }
  return paths.map((file) => {
    const text = readRegularText(file, MAX_DOCUMENT_BYTES);
    return { file, text, policy: undefined, ...parsePolicy(text, file) };
  });
}

function readValid(options: DocumentOptions, env: Environment) {
  const read = readAll(options, env);
  const problems = read.flatMap((one) => one.problems);
  if (problems.length > 0)
    throw new AgentCoreError('config', problems.map(formatProblem).join('\n'));
  return read.flatMap(({ file, text, policy }) => (policy ? [{ file, text, policy }] : []));
}

/** Reads the tools from a JSON-RPC response, its result, or an array of tools. */
function readTools(path: string): JsonObject[] {
  const text = readRegularText(path, MAX_LIST_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AgentCoreError('config', `${path} is not JSON: ${getErrorMessage(cause)}`, { cause });
  }
  const result = isObject(value) && 'result' in value ? value.result : value;
  const tools = isObject(result) ? result.tools : result;
  if (Array.isArray(tools)) return tools.filter(isObject);
  throw new AgentCoreError('config', `${path} contains no result of tools/list`);
}

/** ARN or URL of the proxy's target. */
function getRuntimeArn(env: Environment): string | undefined {
  return env.AGENTCORE_AGENT_ARN || env.AGENT_ARN;
}

function readObject(text: string | undefined): JsonObject {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AgentCoreError('usage', `--args is not JSON: ${getErrorMessage(cause)}`, { cause });
  }
  if (isObject(value)) return value;
  throw new AgentCoreError('usage', '--args is not a JSON object');
}

function toLocation(
  { file, pointer }: { readonly file: string; readonly pointer: string },
  findLine: (file: string, pointer: string) => number | undefined,
) {
  return { file, line: findLine(file, pointer), pointer };
}

function getPointerLine(text: string, file: string, pointer: string): number {
  const keys = pointer.split('/').slice(1);
  const path = keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  return new DocumentText(text, file).problem(path, '').line;
}

function summarizePolicy({ body, sections }: Policy): string {
  const rules = [body, ...sections]
    .flatMap(({ entries }) => entries)
    .flatMap((entry) => entry.rules);
  const standard = body.default?.effect ?? 'allow';
  return [
    `default ${standard}`,
    pluralize(body.entries.length, 'entry', 'entries'),
    pluralize(rules.length, 'rule'),
    pluralize(sections.length, 'section'),
  ].join(', ');
}
