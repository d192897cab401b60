import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { stepMs } from '../harness/browser.ts';
import { callTool, startMcpServers } from '../harness/mcp-servers.ts';
import { until } from '../harness/until.ts';
import { leaveOrphan } from './orphan.ts';
import { picture } from './picture.ts';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';

const scene = useAgentCore(
  { accessKeys: [DEVELOPER], runtimes: { notes: sampleServer() } },
  (local) => ({
    home: developerFiles('dev'),
    machineSettings: {
      'agentcore.runtimes': [{ name: 'notes', arn: local.runtime('notes').arn, profile: 'dev' }],
      'chat.mcp.serverSampling': { 'AgentCore: notes': { allowedDuringChat: true } },
    },
    name: 'running',
  }),
);

/** The session that is billed now, from the runtime itself. */
function liveSession() {
  const live = scene().local.sessions('notes').filter(isLive);
  expect(live).toHaveLength(1);
  return live[0] as (typeof live)[number];
}

const isLive = ({ state }: { readonly state: string }) => state !== 'Stopped';

/**
 * Whether the runtime has stopped the session. Successive microVMs of one server have the same id.
 */
function wasStopped(id: string): boolean {
  const all = scene()
    .local.sessions('notes')
    .filter((one) => one.runtimeSessionId === id);
  return all.at(-1)?.why === 'stop-runtime-session';
}

/** Starts a session if there is none, without a prompt. */
async function callReadOnlyTool(): Promise<void> {
  const { driver } = scene().vsCode;
  const tool = await startMcpServers(driver, 'get_weather');
  expect(await callTool(driver, tool, { city: 'Oslo' })).toMatch(/^Oslo: /);
}

/** Shows or hides these kinds of records in the replay log. */
async function toggleKinds(...kinds: readonly string[]): Promise<void> {
  const { workbench } = scene().vsCode;
  const { quickInput } = workbench;
  await workbench.view('Replay Log').runTitleAction('Filter Replay Log');
  await quickInput.waitFor('Pick the records to show');
  for (const kind of kinds) await quickInput.pick(kind);
  await quickInput.accept();
}

async function noticeAfter(minutes: number | undefined): Promise<void> {
  await scene().vsCode.driver.run(
    ({ ConfigurationTarget, workspace }, minutes) =>
      workspace
        .getConfiguration('agentcore.sessions')
        .update('noticeAfterMinutes', minutes, ConfigurationTarget.Global),
    minutes,
  );
}

beforeEach(async () => {
  await scene().vsCode.workbench.openContainer('AgentCore');
});

describe('agent mode', () => {
  test('the agent calls a tool of the runtime once the user allows it', async () => {
    const { local, vsCode } = scene();
    const { driver, workbench } = vsCode;
    await startMcpServers(driver, 'remember');
    await workbench.chat.open('agent');
    await driver.script({
      steps: [{ call: 'remember', input: { note: 'buy milk' } }, { say: 'Done. {result}' }],
    });
    await workbench.chat.send('Remember to buy milk');
    expect(await workbench.chat.confirmation()).toContain('notes (MCP Server)');
    expect(local.requests).not.toContainEqual(expect.objectContaining({ tool: 'remember' }));
    await picture(vsCode, 'agent-mode', {
      width: 1280,
      height: 640,
      file: 'examples/runtimes/stateful/Dockerfile',
    });
    await workbench.chat.press('Allow');
    await workbench.chat.waitForAnswer('Done. Notes of this session: buy milk');
    expect(local.requests).toContainEqual(
      expect.objectContaining({ tool: 'remember', status: 200, outcome: 'answered' }),
    );
  });

  test('a sampling request of the runtime is answered by the model', async () => {
    const { driver, workbench } = scene().vsCode;
    await driver.script({
      steps: [{ call: 'tell_story', input: { topic: 'a harbour' } }, { say: 'It told: {result}' }],
      model: 'The ships came home.',
    });
    await workbench.chat.send('Tell a story');
    await workbench.chat.press('Allow');
    await workbench.chat.waitForAnswer('The ships came home.');
    const { modelPrompts, requests } = await driver.chatRecord();
    expect(modelPrompts).toEqual(['Write a story of three sentences about a harbour.']);
    expect(requests[0]?.results).toEqual(['A story about a harbour\n\nThe ships came home.']);
  });

  test('an elicitation request of the runtime is answered in the conversation', async () => {
    const { driver, workbench } = scene().vsCode;
    const { chat } = workbench;
    await driver.script({ steps: [{ call: 'create_profile' }, { say: 'So: {result}' }] });
    await chat.send('Make up a character');
    await chat.press('Allow');
    expect(await chat.elicitation.text()).toBe('Who is your character?\nName *');
    await chat.elicitation.type('Mona');
    await chat.elicitation.next();
    await chat.elicitation.choose('smuggler');
    await chat.elicitation.waitFor('Age');
    await chat.elicitation.type('41');
    await chat.elicitation.submit();
    await chat.waitForAnswer('So: Mona, smuggler, is 41 years old.');
  });

  test('a lost microVM is visible only in the replay log', async () => {
    const { local, vsCode } = scene();
    const { driver, workbench } = vsCode;
    await local.killMicroVm(liveSession().runtimeSessionId);
    await driver.script({
      steps: [{ call: 'remember', input: { note: 'buy bread' } }, { say: 'Done. {result}' }],
    });
    await workbench.chat.send('Remember to buy bread');
    await workbench.chat.waitForAnswer('Done. Notes of this session: buy bread');
    const log = workbench.view('Replay Log');
    await log.open();
    await log.waitForDescription('Handshake repeated', /^1 call sent again · /);
    await picture(vsCode, 'replay-log', { width: 1100, height: 420, views: ['Replay Log'] });
  });
});

describe('sessions', () => {
  test('sessions that may be billed are in the view, the badge and the status bar', async () => {
    const { vsCode } = scene();
    const { workbench } = vsCode;
    const sessions = workbench.view('Sessions');
    await sessions.open();
    // The call in the chat is recorded a moment later.
    await sessions.waitForDescription('notes', /^idle/);
    const [first] = await sessions.items('notes');
    expect(first).toMatch(/^notes idle, ends in \d+ m · <?\$[\d.]+( – \$[\d.]+)? · \d+ [sm]/);
    expect(await sessions.accessibleName('notes')).toMatch(/^notes, idle, ends in \d+ m/);
    // The session of the killed microVM is listed too, because the error about it proves nothing.
    expect(await workbench.statusBar.waitFor('2 · ')).toMatch(
      /^2 AgentCore sessions may be billed, .* so far$/,
    );
    const badge = workbench.page
      .locator('.part.activitybar .badge-content')
      .filter({ hasText: '2' });
    await badge.waitFor();
    await picture(vsCode, 'sessions', {
      width: 1100,
      height: 340,
      views: ['Sessions'],
    });
  });

  test('a long session causes a notification with a button that stops it', async () => {
    const { local, vsCode } = scene();
    const { notifications } = vsCode.workbench;
    const { runtimeSessionId } = liveSession();
    await noticeAfter(0.001);
    expect(await notifications.waitFor('sessions have run')).toMatch(
      /^2 sessions have run for more than 0 s\. Cost so far: .*\d$/,
    );
    expect(await notifications.buttons('sessions have run')).toEqual([
      'Stop Sessions',
      'Show Sessions',
    ]);
    await notifications.press('sessions have run', 'Stop Sessions');
    await local.until(() => wasStopped(runtimeSessionId), 'the end of the session');
    await noticeAfter(undefined);
  });

  test('a session that is stopped in the view is stopped at the runtime', async () => {
    const { local, vsCode } = scene();
    await callReadOnlyTool();
    const { runtimeSessionId } = liveSession();
    const sessions = vsCode.workbench.view('Sessions');
    await sessions.waitForDescription('notes', /^idle/);
    await sessions.runInlineAction('notes', 'Stop Session');
    await local.until(() => wasStopped(runtimeSessionId), 'the end of the session');
    await sessions.waitForOnly(/^Ended/);
    await sessions.expand('Ended');
    expect(await sessions.items('notes')).toContainEqual(
      expect.stringMatching(/^ {2}notes stopped at /),
    );
  });

  test('a reset stops a session and gives its server another one', async () => {
    const { local, vsCode } = scene();
    const { workbench } = vsCode;
    await callReadOnlyTool();
    const { runtimeSessionId } = liveSession();
    await workbench.view('Runtimes').chooseFromMenu('notes', 'Reset Session');
    await local.until(
      () => wasStopped(runtimeSessionId) && local.sessions('notes').some(isLive),
      'another session',
    );
    expect(liveSession().runtimeSessionId).not.toBe(runtimeSessionId);
    await workbench.view('Runtimes').waitForDescription('notes', /^running/);
  });
});

describe('replay log', () => {
  test('it can be filtered by kind, and shows a complete record', async () => {
    const { driver, workbench } = scene().vsCode;
    const log = workbench.view('Replay Log');
    await log.open();
    await toggleKinds('Errors', 'Calls', 'Sessions and programs');
    await log.waitForOnly('Handshake repeated');
    await log.click('Handshake repeated');
    const text = await workbench.editors.waitForText('"type": "session.replayed"');
    expect(JSON.parse(text)).toMatchObject({
      type: 'session.replayed',
      calls: 1,
      program: 'proxy',
    });
    // The document cannot be saved, so closing it does not prompt.
    const isDirty = await driver.run(({ window }) => window.activeTextEditor?.document.isDirty);
    expect(isDirty).toBe(false);
    await workbench.editors.closeAll();
    await log.chooseFromMenu('Handshake repeated', 'Copy Record');
    await until(stepMs, 'The record in the clipboard', async () => {
      return (await driver.run(({ env }) => env.clipboard.readText())) === text;
    });
    await toggleKinds('Errors', 'Calls', 'Sessions and programs');
    // The newest entries are from after the reset.
    await log.waitForDescription(/^\w+\/\w+$/, /^[\d.]+ m?s · /);
  });

  test('it can be exported as JSON lines', async () => {
    const { vsCode } = scene();
    const { workbench, folder } = vsCode;
    const path = join(folder.workspace, 'replay-log.jsonl');
    await workbench.runCommand('AgentCore: Export Replay Log…');
    await workbench.quickInput.waitForValue(path);
    await workbench.quickInput.accept();
    await workbench.notifications.dismiss('Exported');
    const records = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly type: string });
    expect(records[0]?.type).toBe('program');
    expect(records).toContainEqual(expect.objectContaining({ type: 'session.replayed' }));
  });
});

test('all sessions are stopped after a confirmation, also those of other programs', async () => {
  const { local, vsCode } = scene();
  const { workbench } = vsCode;
  await callReadOnlyTool();
  const ids = [
    liveSession().runtimeSessionId,
    await leaveOrphan(vsCode.folder, local, 'notes'),
  ] as const;
  await workbench.view('Sessions').waitForDescription('notes', /^orphaned/);
  await workbench.runCommand('AgentCore: Stop All Sessions…');
  expect(await workbench.dialog.text()).toContain('Stop 2 sessions?');
  await workbench.dialog.choose('Cancel');
  expect(ids.map(wasStopped)).toEqual([false, false]);
  await workbench.runCommand('AgentCore: Stop All Sessions…');
  await workbench.dialog.choose('Stop Sessions');
  await local.until(() => ids.every(wasStopped), 'the end of the sessions');
});

test('an orphaned session is dismissed in its row, and recorded once', async () => {
  const { local, vsCode } = scene();
  const { workbench } = vsCode;
  const sessions = workbench.view('Sessions');
  const log = workbench.view('Replay Log');
  const orphans = async () =>
    (await sessions.items('Ended')).filter((line) => line.startsWith('notes orphaned'));
  const dismissed = async () =>
    (await log.items('Session started')).filter((line) => line.includes('Session dismissed'));
  const id = await leaveOrphan(vsCode.folder, local, 'notes');
  await sessions.waitForDescription('notes', /^orphaned/);
  await sessions.chooseFromMenu('notes', 'Dismiss Session…');
  expect(await workbench.dialog.text()).toContain('Dismiss the session on notes');
  await workbench.screenshot('dismiss-session');
  await workbench.dialog.choose('Cancel');
  expect(await orphans()).toHaveLength(1);
  expect(await dismissed()).toEqual([]);
  await sessions.chooseFromMenu('notes', 'Dismiss Session…');
  await workbench.dialog.choose('Dismiss Session');
  await expect.poll(orphans).toEqual([]);
  await expect.poll(dismissed).toHaveLength(1);
  await workbench.screenshot('dismissed-session');
  expect(wasStopped(id)).toBe(false);
  expect(await workbench.notifications.texts()).toEqual([]);
  await local.killMicroVm(id);
});

test('a window that closes stops its sessions, and leaves none for the next window', async () => {
  const { local, vsCode } = scene();
  const { workbench } = vsCode;
  await callReadOnlyTool();
  const { runtimeSessionId } = liveSession();
  await vsCode.load();
  await local.until(() => wasStopped(runtimeSessionId), 'the end of the session');
  await workbench.openContainer('AgentCore');
  await workbench.view('Runtimes').waitForDescription('notes', /^stopped/);
  expect(await workbench.notifications.texts()).toEqual([]);
});
