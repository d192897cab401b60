import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { callTool, startMcpServers } from './mcp-servers.ts';
import { useVsCode } from './use-vs-code.ts';

const vsCode = useVsCode({
  extensions: [
    {
      folder: fileURLToPath(new URL('fixture-extension', import.meta.url)),
      programs: ['extension.ts', 'server.ts'],
    },
  ],
  settings: { 'fixture.greeting': 'Hello' },
  machineSettings: {
    'chat.mcp.serverSampling': { 'Fixture: Fixture Server': { allowedDuringChat: true } },
  },
  workspace: { 'letter.txt': 'Dear reader' },
  home: { '.aws/config': '[default]\nregion = eu-west-1\n' },
  env: { FIXTURE: 'set' },
  name: 'workbench',
});

/** Waits for a line in the fixture's log. */
async function fixtureSays(line: string): Promise<void> {
  const { output } = vsCode().workbench;
  await output.show('Fixture');
  await output.waitFor(line);
}

describe('the started VS Code', () => {
  test('it has exactly the settings, the files and the environment of the test', async () => {
    const { driver, folder } = vsCode();
    const found = await driver.run(async ({ workspace, Uri }) => {
      const home = process.env.HOME ?? '';
      const config = await workspace.fs.readFile(Uri.file(`${home}/.aws/config`));
      return {
        home,
        state: process.env.AGENTCORE_STATE_DIR,
        variable: process.env.FIXTURE,
        config: new TextDecoder().decode(config),
        setting: workspace.getConfiguration('fixture').get('greeting'),
        folders: workspace.workspaceFolders?.map(({ uri }) => uri.path),
        trusted: workspace.isTrusted,
      };
    });
    expect(found).toEqual({
      home: folder.home,
      state: folder.state,
      variable: 'set',
      config: '[default]\nregion = eu-west-1\n',
      setting: 'Hello',
      folders: [folder.workspace],
      trusted: true,
    });
  });

  test('an error of a script is returned with its message', async () => {
    const failing = vsCode().driver.run(() => {
      throw new Error('No such luck');
    });
    await expect(failing).rejects.toThrow('No such luck');
  });
});

describe('quick input', () => {
  test('a command from the Command Palette runs through its steps', async () => {
    const { workbench } = vsCode();
    expect(await workbench.palette.titles('Fixture: Order')).toContain('Fixture: Order Lunch');
    await workbench.runCommand('Fixture: Order Lunch');
    const { quickInput } = workbench;
    await quickInput.waitFor('Choose a dish');
    await quickInput.waitForTitle('Order Lunch (1/2)');
    expect(await quickInput.items()).toEqual([
      { label: 'Soup', description: 'fresh' },
      { label: 'Salad', description: 'fresh' },
    ]);
    await quickInput.pick('Soup');
    await quickInput.waitFor('Choose a drink for the Soup');
    await quickInput.back();
    await quickInput.waitFor('Choose a dish');
    await quickInput.type('sal');
    await quickInput.accept();
    await quickInput.waitFor('Choose a drink for the Salad');
    await quickInput.pick('Tea');
    await quickInput.waitUntilClosed();
    await fixtureSays('ordered: Salad and Tea');
  });

  test('Escape cancels it at any step', async () => {
    const { workbench } = vsCode();
    const { quickInput } = workbench;
    await workbench.runCommand('Fixture: Order Lunch');
    await quickInput.pick('Soup');
    await quickInput.waitFor('Choose a drink for the Soup');
    await quickInput.escape();
    await quickInput.waitUntilClosed();
    await fixtureSays('ordered: nothing');
  });
});

test('a status bar item is read and clicked', async () => {
  const { statusBar, quickInput } = vsCode().workbench;
  expect(await statusBar.waitFor('Lunch')).toBe('beaker  Lunch, Order lunch');
  expect(await statusBar.texts()).toContain('Lunch');
  await statusBar.click('Lunch');
  await quickInput.waitFor('Choose a dish');
  await quickInput.escape();
  await quickInput.waitUntilClosed();
});

describe('notifications', () => {
  test('a notification is read, and its button pressed', async () => {
    const { workbench } = vsCode();
    const { notifications } = workbench;
    await workbench.runCommand('Fixture: Greet');
    expect(await notifications.waitFor('Hello')).toBe('Hello, world');
    expect(await notifications.buttons('Hello')).toEqual(['Wave']);
    await notifications.press('Hello', 'Wave');
    await notifications.waitUntilGone('Hello');
    await fixtureSays('greeted: Wave');
    expect(await notifications.texts()).toEqual([]);
  });

  test('the button of a hidden notification is pressed in the notification center', async () => {
    const { workbench, driver } = vsCode();
    const { notifications } = workbench;
    await workbench.runCommand('Fixture: Greet');
    await notifications.waitFor('Hello');
    await driver.run(({ commands }) => commands.executeCommand('notifications.hideToasts'));
    await notifications.waitUntilGone('Hello');
    await notifications.press('Hello', 'Wave');
    await workbench.runCommand('Fixture: Greet');
    expect(await notifications.waitFor('Hello')).toBe('Hello, world');
    await notifications.dismiss('Hello');
  });

  test('a notification is closed without an answer', async () => {
    const { workbench } = vsCode();
    await workbench.runCommand('Fixture: Greet');
    await workbench.notifications.dismiss('Hello');
    await workbench.notifications.waitUntilGone('Hello');
    await fixtureSays('greeted: dismissed');
  });
});

test('a dialog is read, and answered by its button labels', async () => {
  const { workbench } = vsCode();
  await workbench.runCommand('Fixture: Confirm Deletion');
  expect(await workbench.dialog.text()).toBe('Delete it?\nIt cannot be undone.');
  expect(await workbench.dialog.buttons()).toEqual(['Cancel', 'Delete']);
  await workbench.dialog.choose('Delete');
  await fixtureSays('confirmed: Delete');
});

describe('views', () => {
  beforeEach(async () => {
    const { workbench } = vsCode();
    await workbench.openContainer('Fixture');
    await workbench.view('Animals').open();
    await workbench.view('Animals').expand('Birds');
  });

  test('a tree is expanded and read as text', async () => {
    const { workbench } = vsCode();
    const animals = workbench.view('Animals');
    expect(await animals.items('Crow')).toEqual([
      'Birds',
      '  Crow hungry',
      '  Wren hungry',
      'Fish',
    ]);
    expect(await animals.accessibleName('Crow')).toContain('Crow hungry');
    await animals.click('Wren');
  });

  test('an item’s inline action is run', async () => {
    await vsCode().workbench.view('Animals').runInlineAction('Crow', 'Feed');
    await fixtureSays('fed: Crow');
  });

  test('an item’s menu opens an input box, which rejects invalid text', async () => {
    const { workbench } = vsCode();
    const { quickInput } = workbench;
    await workbench.view('Animals').chooseFromMenu('Wren', 'Rename');
    await quickInput.waitForMessage('A new name for the Wren');
    await quickInput.type('Tit');
    await quickInput.type('');
    await quickInput.waitForMessage('It needs a name');
    await quickInput.type('Robin');
    await quickInput.accept();
    await fixtureSays('renamed: Wren to Robin');
  });

  test('an action in the view’s title is run', async () => {
    await vsCode().workbench.view('Animals').runTitleAction('Greet');
    await vsCode().workbench.notifications.dismiss('Hello');
  });

  test('an empty view shows welcome content with a button', async () => {
    const { workbench } = vsCode();
    const nothing = workbench.view('Nothing');
    await nothing.open();
    expect(await nothing.welcome()).toContain('There is nothing yet.');
    await nothing.pressWelcome('Greet');
    await workbench.notifications.dismiss('Hello');
  });
});

test('files are opened, read and closed', async () => {
  const { folder, workbench } = vsCode();
  const { editors } = workbench;
  await editors.open(`${folder.workspace}/letter.txt`);
  await editors.waitFor('letter.txt');
  expect(await editors.titles()).toEqual(['letter.txt']);
  expect(await editors.waitForText('Dear')).toBe('Dear reader');
  await editors.closeAll();
  expect(await editors.titles()).toEqual([]);
});

test('the content of a webview is read', async () => {
  const { workbench } = vsCode();
  await workbench.runCommand('Fixture: Show Page');
  await workbench.webview.getByRole('button', { name: 'Ring' }).click();
  await fixtureSays('page: rung');
  await workbench.editors.closeAll();
});

test('settings are found and changed in the editor, and set without it', async () => {
  const { workbench } = vsCode();
  const { notifications, settings } = workbench;
  await settings.open('@ext:agentcore-mcp-test.fixture');
  expect(await settings.labels()).toEqual(['Fixture: Greeting']);
  await settings.typeText('Greeting', 'Howdy');
  await settings.waitFor('fixture.greeting', 'Howdy');
  await settings.close();
  await workbench.runCommand('Fixture: Greet');
  await notifications.dismiss('Howdy, world');
  await settings.set('fixture.greeting', 'Hello');
  await workbench.runCommand('Fixture: Greet');
  await notifications.dismiss('Hello, world');
});

describe('MCP servers', () => {
  test('the extension’s server is started, and its output read', async () => {
    const { driver, workbench } = vsCode();
    expect(await startMcpServers(driver, 'shout')).toMatch(/^mcp_.*shout$/);
    await workbench.output.showMcpServer('Fixture Server');
    await workbench.output.waitFor('Discovered 3 tools');
  });

  test('a tool call outside chat waits for a dialog', async () => {
    const { driver, workbench } = vsCode();
    const result = callTool(driver, await startMcpServers(driver, 'shout'), { word: 'hi' });
    expect(await workbench.dialog.text()).toContain('Run shout');
    await workbench.dialog.choose('Yes');
    expect(await result).toBe('HI');
  });

  test('an elicitation request outside chat is shown as a notification', async () => {
    const { driver, workbench } = vsCode();
    const result = callTool(driver, await startMcpServers(driver, 'ask_user'), {});
    await workbench.notifications.press('What is your name?', 'Respond');
    await workbench.quickInput.type('Ada');
    await workbench.quickInput.accept();
    await workbench.quickInput.pick('Red');
    await workbench.quickInput.waitForTitle('Motto (3/3)');
    await workbench.quickInput.type('Onward');
    await workbench.quickInput.accept();
    expect(await result).toBe('accept: Ada, Red, Onward');
  });
});

describe('chat', () => {
  test('the agent continues without a tool that the user skips', async () => {
    const { driver, workbench } = vsCode();
    await startMcpServers(driver, 'shout');
    await workbench.chat.open('agent');
    await driver.script({
      steps: [{ call: 'shout', input: { word: 'ho' } }, { say: 'Well. {result}' }],
    });
    await workbench.chat.send('Shout ho');
    await workbench.chat.press('Skip');
    await workbench.chat.waitForAnswer('Well.');
    const { requests } = await driver.chatRecord();
    expect(requests[0]?.results).toEqual([expect.stringContaining('skip')]);
  });

  test('the agent calls a tool once the user allows it', async () => {
    const { driver, workbench } = vsCode();
    await driver.script({
      steps: [{ call: 'shout', input: { word: 'hi' } }, { say: 'The server said {result}.' }],
    });
    await workbench.chat.send('Shout hi');
    expect(await workbench.chat.confirmation()).toContain('Fixture Server (MCP Server)');
    await workbench.chat.press('Allow');
    await workbench.chat.waitForAnswer('The server said HI.');
    const { requests } = await driver.chatRecord();
    expect(requests).toMatchObject([{ participant: 'agent', prompt: 'Shout hi', results: ['HI'] }]);
    expect(requests[0]?.tools).toContainEqual(expect.stringMatching(/^mcp_.*shout$/));
  });

  test('an elicitation request is answered in the conversation', async () => {
    const { driver, workbench } = vsCode();
    const { chat } = workbench;
    await driver.script({ steps: [{ call: 'ask_user' }, { say: 'The answer was {result}.' }] });
    await chat.send('Ask me');
    expect(await chat.elicitation.text()).toBe('What is your name?\nName *');
    await chat.elicitation.type('Grace');
    await chat.elicitation.next();
    await chat.elicitation.choose('Blue');
    await chat.elicitation.waitFor('Motto');
    await chat.elicitation.type('Upward');
    await chat.elicitation.submit();
    await chat.waitForAnswer('The answer was accept: Grace, Blue, Upward.');
  });

  test('an elicitation request is left unanswered', async () => {
    const { driver, workbench } = vsCode();
    const { chat } = workbench;
    await driver.script({ steps: [{ call: 'ask_user' }, { say: 'The answer was {result}.' }] });
    await chat.send('Ask me again');
    await chat.elicitation.skip();
    await chat.waitForAnswer('The answer was cancel.');
  });

  test('a server samples the model', async () => {
    const { driver, workbench } = vsCode();
    await driver.script({
      steps: [{ call: 'ask_model' }, { say: 'The model said {result}.' }],
      model: 'Paris',
    });
    await workbench.chat.send('Ask the model');
    await workbench.chat.waitForAnswer('The model said Paris.');
    const { modelPrompts } = await driver.chatRecord();
    expect(modelPrompts).toEqual(['What is the capital of France?']);
  });

  test('the ask mode answers by itself', async () => {
    const { driver, workbench } = vsCode();
    await driver.script({ steps: [{ say: 'Good day.' }] });
    await workbench.chat.open('ask');
    await workbench.chat.send('Hello?');
    await workbench.chat.waitForAnswer('Good day.');
    const { requests } = await driver.chatRecord();
    expect(requests).toMatchObject([{ participant: 'ask', prompt: 'Hello?' }]);
  });
});

test('a reloaded window keeps its stored data', async () => {
  const { driver } = vsCode();
  const processId = () => driver.run(() => process.pid);
  const before = await processId();
  await vsCode().load();
  expect(await processId()).not.toBe(before);
});

test('a screenshot of the window is written', async () => {
  const path = await vsCode().workbench.screenshot('harness');
  expect(path).toMatch(/\.vscode-test\/screenshots\/harness\.png$/);
  expect(statSync(path).size).toBeGreaterThan(10_000);
});
