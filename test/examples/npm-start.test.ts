import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname } from 'node:path';
import { expect, it } from 'vitest';
import { endWithTest } from '../fixtures/running.ts';

/** The expected parts of the transcript, in order. */
const LANDMARKS = [
  /^A local AgentCore serves on http:\/\/127\.0\.0\.1:\d+$/,
  /^alice connects through the proxy and meets agentcore-stateful-sample/,
  /^ {2}tool {5}get_weather/,
  /^ {2}answer {3}Lisbon: windy, 15 °C$/,
  /^ {2}progress 1 of 4, 3 to go/,
  /^ {2}progress 4 of 4, 0 to go/,
  /^bob connects as well/,
  /^ {11}Notes of this session: buy milk$/,
  /^ {11}Notes of this session: water the plants$/,
  ...['stateful-sample, which speaks HTTP itself', 'bridge-sample, which speaks stdio'].flatMap(
    (met) => [
      new RegExp(`^carol meets agentcore-${met}`),
      /^ {2}sampling {5}Write a story of three sentences about a lighthouse\.$/,
      /^ {2}answer {7}A story about a lighthouse: The light went out\./,
      /^ {2}elicitation {2}Who is your character\? \(name, occupation, age\)$/,
      /^ {2}answer {7}Ada, astronomer, is 36 years old\.$/,
    ],
  ),
  /^Her microVM is killed \(process \d+\)$/,
  /^ {2}proxy {4}The server had lost the session .* 2 calls that waited go on in it$/,
  /^ {2}stopped {2}agentcore-mcp-/,
  /^ {2}ID +STATE +RUNTIME .* COST SO FAR/,
  /^ {2}[0-9a-f]{8} +stopped .*\$0\.0001/,
  /^All of it worked\.$/,
];

it('npm start shows the task, questions, a lost microVM and the total cost', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const [build, run] = scripts.start.split(' && ');
  expect(build).toBe('npm run build --silent');
  const [node, ...args] = run.split(' ');
  expect(node).toBe('node');
  // The samples run as `node`, which npm finds beside the other programs.
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endWithTest(child, () => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.split('\n');
  let at = -1;
  for (const landmark of LANDMARKS) {
    const next = lines.findIndex((line, index) => index > at && landmark.test(line));
    expect(next, `${landmark} behind line ${at + 1} of\n${stdout}`).toBeGreaterThan(at);
    at = next;
  }
  expect(lines.filter((line) => line.startsWith('  stopped'))).toHaveLength(5);
});
