import { appendFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CallRecord, JournalRecord } from '../../src/state/journal/records.ts';
import { JournalWriter } from '../../src/state/journal/writer.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { type CliResult, runCli, startCli } from '../fixtures/cli-process.ts';
import { endWithTest, within } from '../fixtures/running.ts';
import { ago, StateFolder, started } from '../fixtures/written-journal.ts';

const SECOND = 1000;

function call(
  session: string,
  name: string,
  at: string,
  more: Partial<CallRecord> = {},
): CallRecord {
  return {
    type: 'call',
    at,
    session,
    method: 'tools/call',
    name,
    milliseconds: 350,
    bytesIn: 120,
    bytesOut: 4096,
    outcome: 'result',
    attempts: 1,
    ...more,
  };
}

const replay = (session: string, next: string, at: string): JournalRecord => ({
  type: 'session.replayed',
  at,
  session,
  next,
  reason: 'the server was not initialized',
  milliseconds: 120,
  calls: 2,
  toolsChanged: false,
});

/** Two programs with alternating records. */
function twoPrograms(): StateFolder {
  const state = new StateFolder();
  state.write({
    records: [
      started('11111111-a', ago(60 * SECOND)),
      call('11111111-a', 'first', ago(50 * SECOND)),
      call('11111111-a', 'third', ago(30 * SECOND), { outcome: 'error', code: -32602 }),
      replay('11111111-a', '22222222-b', ago(20 * SECOND)),
    ],
  });
  state.write({
    name: 'cli',
    records: [
      call('33333333-c', 'second', ago(40 * SECOND)),
      { type: 'error', at: ago(10 * SECOND), level: 'warning', message: 'Could not stop it' },
    ],
  });
  return state;
}

function log(state: StateFolder, ...args: string[]): Promise<CliResult> {
  return runCli(['log', ...args], { AGENTCORE_STATE_DIR: state.path });
}

const toolsOf = ({ stdout }: CliResult) => stdout.match(/(?<=tools\/call )\w+/g);

describe('agentcore-mcp log', () => {
  it('lists the records of all programs by time, one per line', async () => {
    const result = await log(twoPrograms());
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(toolsOf(result)).toEqual(['first', 'second', 'third']);
    const words = result.lines.map((line) => line.replace(/^\S+ \S+ {2}/, ''));
    expect(words).toEqual([
      expect.stringMatching(/^proxy \d+ +11111111 {2}session started on weather-abcdefghij, mode /),
      expect.stringMatching(/11111111 {2}tools\/call first: result in 350 ms \(120 B in, 4096 B/),
      expect.stringMatching(/^cli \d+ +33333333 {2}tools\/call second/),
      expect.stringMatching(/tools\/call third: error -32602 in 350 ms/),
      expect.stringMatching(
        /handshake repeated in 120 ms, 2 calls sent again, continues as 22222222/,
      ),
      expect.stringMatching(/^cli \d+ +- {9}warning: Could not stop it$/),
      expect.stringMatching(/^proxy \d+ +- {9}proxy 1\.2\.3 started on /),
      expect.stringMatching(/^cli /),
    ]);
  });

  it('prints one JSON record with its program per line for scripts', async () => {
    const { lines } = await log(twoPrograms(), '--json', '--calls');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { type: 'call', name: 'first', program: 'proxy', pid: expect.any(Number) },
      { type: 'call', name: 'second', program: 'cli', host: expect.any(String) },
      { type: 'call', name: 'third', outcome: 'error', code: -32602 },
    ]);
  });

  it.each([
    [['--calls'], ['tools/call first', 'tools/call second', 'tools/call third']],
    [['--errors'], ['tools/call third', 'warning']],
    [['--replays'], ['handshake repeated']],
    [
      ['--errors', '--replays'],
      ['tools/call third', 'handshake repeated', 'warning'],
    ],
    [
      ['--calls', '--limit', '2'],
      ['tools/call second', 'tools/call third'],
    ],
    [
      ['--calls', '--session', '1111'],
      ['tools/call first', 'tools/call third'],
    ],
  ])('with %j lists %j', async (args, expected) => {
    const { code, lines } = await log(twoPrograms(), ...args);
    expect(code).toBe(0);
    expect(lines).toEqual(expected.map((words) => expect.stringContaining(words)));
  });

  it('removes terminal control characters of a server', async () => {
    const state = new StateFolder();
    state.write({ records: [call('1', 'a\u001b[2J\u009b1m\nb\u202ec', ago(0))] });
    const { stdout } = await log(state, '--calls');
    expect(stdout).toMatch(/tools\/call a \[2J 1m b c: result/);
    expect(stdout.split('\n')).toHaveLength(2);
  });

  it('names the folder if it has no records', async () => {
    const state = new StateFolder();
    const { code, stdout } = await log(state);
    expect(code).toBe(0);
    expect(stdout).toContain(state.journal);
    expect(await log(state, '--json')).toMatchObject({ code: 0, stdout: '' });
  });

  it.each([
    [['--session', 'nobody'], /No session on record is "nobody"/],
    [['--limit', '0'], /whole number above 0/],
    [['extra'], /too many arguments/],
  ])('exits with code 2 if it is called with %j', async (args, sentence) => {
    const { code, stderr } = await log(twoPrograms(), ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
  });

  it('exits without an error when its reader closes the pipe', async () => {
    const state = new StateFolder();
    const records = Array.from({ length: 20_000 }, (_, index) => call('1', `tool${index}`, ago(0)));
    state.write({ records });
    const cli = startCli(['log', '--limit', '20000'], { AGENTCORE_STATE_DIR: state.path });
    await cli.until('the first lines', (stdout) => stdout.includes('\n'));
    cli.child.stdout?.destroy();
    expect(await within(MAX_WAIT_MS, 'its end', cli.exited)).toBe(0);
    expect(cli.stderr).toBe('');
  });
});

describe('agentcore-mcp log --follow', () => {
  function follow(state: StateFolder, ...args: string[]) {
    return startCli(['log', '--follow', ...args], { AGENTCORE_STATE_DIR: state.path });
  }

  it('prints new records of all programs once, until it is interrupted', async () => {
    const state = new StateFolder();
    const path = state.write({ records: [call('1', 'before', ago(SECOND))] });
    const cli = follow(state, '--calls');
    await cli.until('what was there', (stdout) => stdout.includes('before'));

    appendFileSync(path, `${JSON.stringify(call('1', 'appended', ago(0)))}\n`);
    await cli.until('what was appended', (stdout) => stdout.includes('appended'));

    const onFailure = (sentence: string) => expect.fail(sentence);
    const options = {
      folder: state.journal,
      program: 'extension',
      version: '1',
      maxWaitMs: MAX_WAIT_MS,
      onFailure,
    };
    const journal = endWithTest(new JournalWriter(options), (journal) => journal.close());
    await journal.recordNow(call('2', 'elsewhere', ago(0)));
    await cli.until('what another program wrote', (stdout) => stdout.includes('elsewhere'));

    expect(cli.stdout.match(/(?<=tools\/call )\w+/g)).toEqual(['before', 'appended', 'elsewhere']);
    cli.child.kill('SIGINT');
    expect(await within(MAX_WAIT_MS, 'its end', cli.exited)).toBe(0);
    expect(cli.stderr).toBe('');
  });

  it('exits when its reader has closed the pipe', async () => {
    const state = new StateFolder();
    const path = state.write({ records: [call('1', 'before', ago(SECOND))] });
    const cli = follow(state, '--json', '--calls');
    await cli.until('what was there', (stdout) => stdout.includes('before'));
    cli.child.stdout?.destroy();
    appendFileSync(path, `${JSON.stringify(call('1', 'unread', ago(0)))}\n`);
    expect(await within(MAX_WAIT_MS, 'its end', cli.exited)).toBe(0);
    expect(cli.stderr).toBe('');
  });
});
