import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { isPolicyFile, registerPolicies } from '../../../src/extension/commands/policy-commands.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { RuntimeStore } from '../../../src/extension/settings/runtime-store.ts';
import type { CommandRegistry } from '../../../src/extension/ui/command-registry.ts';
import { commands, languages, Position, Range, window, workspace } from '../vscode-stub.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const VALID = 'version: "1"\ndefault: deny\n';
const BROKEN = 'version: "1"\ntols: {}\ndefault: maybe\n';

/** A document in the form of the VS Code editor. */
function documentOf(path: string, text: string) {
  const state = { text };
  const lines = () => state.text.split('\n');
  return {
    uri: { scheme: 'file', fsPath: path },
    fileName: path,
    isClosed: false,
    write: (next: string) => {
      state.text = next;
    },
    getText: () => state.text,
    validatePosition: ({ line, character }: Position) => {
      const row = Math.min(line, lines().length - 1);
      return new Position(row, Math.min(character, lines()[row]?.length ?? 0));
    },
    getWordRangeAtPosition: ({ line, character }: Position, term: RegExp) => {
      const [found] = term.exec(lines()[line]?.slice(character) ?? '') ?? [];
      const end = new Position(line, character + (found?.length ?? 0));
      return found && new Range(new Position(line, character), end);
    },
    lineAt: (line: number) => ({
      range: { end: new Position(line, lines()[line]?.length ?? 0) },
    }),
  };
}

function setUp(...policies: string[]) {
  const registered = new Map<string, () => Promise<unknown>>();
  const subscriptions: { dispose(): void }[] = [];
  const errors: string[] = [];
  registerPolicies({ subscriptions } as never, {
    commands: {
      register: (id: string, run: never) => void registered.set(id, run),
    } as unknown as CommandRegistry,
    store: { entries: policies.map((policy) => readEntry({ name: policy, arn: ARN, policy })) },
    env: () => ({ XDG_CONFIG_HOME: '/home/me/.config', APPDATA: 'C:\\me' }),
    log: { error: (line: string) => errors.push(line) } as never,
  });
  onTestFinished(() => {
    for (const one of subscriptions) one.dispose();
    expect(errors).toEqual([]);
  });
  return { check: registered.get('agentcore.checkPolicy') as () => Promise<unknown> };
}

const shownOf = (document: { readonly uri: unknown }) =>
  languages.diagnostics
    .get(document.uri)
    ?.map(({ message, range: { start, end } }) => [
      start.line,
      start.character,
      end.character,
      message,
    ]);

afterEach(() => {
  window.activeTextEditor = undefined;
  window.said.length = 0;
  window.pressed = undefined;
  commands.run.length = 0;
  workspace.workspaceFolders = undefined;
  workspace.settings = {};
});

describe('the command that checks a policy', () => {
  it('shows each mistake at its position, and the first in a message', async () => {
    const { check } = setUp();
    const document = documentOf('/work/rules.yaml', BROKEN);
    window.activeTextEditor = { document };
    window.pressed = 'Show Problems';
    await check();
    expect(shownOf(document)).toEqual([
      [1, 0, 4, expect.stringContaining('tols')],
      [2, 0, 7, expect.stringContaining('default')],
    ]);
    expect(window.said).toEqual([
      expect.stringMatching(
        /^rules\.yaml is not a valid policy, with 2 problems\. The first: tols: /,
      ),
    ]);
    await expect.poll(() => commands.run).toEqual([['workbench.actions.view.problems']]);
  });

  it('reports a valid policy, and removes corrected mistakes', async () => {
    const { check } = setUp();
    const document = documentOf('/work/rules.json', '{"version": "1", "default": 1}');
    window.activeTextEditor = { document };
    await check();
    expect(shownOf(document)).toHaveLength(1);
    document.write('{"version": "1"}');
    await check();
    expect(shownOf(document)).toEqual([]);
    expect(window.said.at(-1)).toBe('rules.json is a valid policy');
  });

  it('prompts for a document if none is open', async () => {
    await expect(setUp().check()).rejects.toThrow('Open the policy document');
  });
});

describe('a saved policy document', () => {
  it('is checked if an entry names it, and its mistakes disappear when it is closed', async () => {
    setUp('/work/rules.yaml');
    const other = documentOf('/work/other.yaml', BROKEN);
    const document = documentOf('/work/rules.yaml', BROKEN);
    workspace.saved.fire(other);
    workspace.saved.fire(document);
    await expect.poll(() => shownOf(document)).toHaveLength(2);
    expect(shownOf(other)).toBeUndefined();
    workspace.closed.fire(document);
    expect(shownOf(document)).toBeUndefined();
  });

  it('is checked again if it was checked before', async () => {
    const { check } = setUp();
    const document = documentOf('/work/other.yaml', BROKEN);
    window.activeTextEditor = { document };
    await check();
    document.write(VALID);
    workspace.saved.fire(document);
    await expect.poll(() => shownOf(document)).toEqual([]);
  });
});

describe('a file', () => {
  const env = { XDG_CONFIG_HOME: '/home/me/.config', AGENTCORE_POLICY: '/obeyed.yaml' };
  const isPolicy = (path: string) => isPolicyFile(path, [{ policy: '/work/a/../rules.yaml' }], env);

  it('is a policy because of its name, its folder, or a proxy that enforces it', () => {
    for (const path of [
      '/work/agentcore-policy.yaml',
      '/work/my.agentcore-policy.prod.json',
      '/work/.agentcore/policy.yml',
      '/work/rules.yaml',
      '/obeyed.yaml',
    ]) {
      expect(isPolicy(path), path).toBe(true);
    }
    for (const path of ['/work/policy.yaml', '/work/agentcore-policy.ts', '/work/other.yaml']) {
      expect(isPolicy(path), path).toBe(false);
    }
    // A path that the proxy rejects must not prevent the check of other files.
    expect(isPolicyFile('/work/a.yaml', [], { AGENTCORE_POLICY: 'relative.yaml' })).toBe(false);
  });

  it('of an entry is relative to the first workspace folder', () => {
    workspace.workspaceFolders = [{ uri: { scheme: 'file', fsPath: '/work' } }];
    workspace.settings = {
      'agentcore.runtimes': [{ name: 'a', arn: ARN, policy: '.agentcore/policy.yaml' }],
    };
    const store = new RuntimeStore();
    onTestFinished(() => store.dispose());
    expect(store.entries[0]?.policy).toBe('/work/.agentcore/policy.yaml');
  });
});
