/**
 * The parts of `vscode` that unit tests outside VS Code need. Tests in VS Code cover the user
 * interface.
 */

type Listener<T> = (event: T) => unknown;

export class EventEmitter<T> {
  readonly #listeners = new Set<Listener<T>>();

  readonly event = (listener: Listener<T>) => {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  };

  fire(event: T): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  dispose(): void {
    this.#listeners.clear();
  }
}

export class ThemeIcon {
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}

export const InputBoxValidationSeverity = { Info: 1, Warning: 2, Error: 3 } as const;
export const QuickPickItemKind = { Separator: -1, Default: 0 } as const;
export const QuickInputButtons = { Back: { iconPath: new ThemeIcon('arrow-left') } };

interface Item {
  readonly label: string;
  readonly kind?: number;
}

/** The common parts of quick picks and input boxes, and the actions of the user. */
class QuickInput {
  title: string | undefined;
  step: number | undefined;
  totalSteps: number | undefined;
  buttons: readonly object[] = [];
  busy = false;
  ignoreFocusOut = false;
  value = '';
  placeholder: string | undefined;
  isDisposed = false;
  readonly #hidden = new EventEmitter<void>();
  readonly #pressed = new EventEmitter<object>();
  readonly #typed = new EventEmitter<string>();
  readonly #accepted = new EventEmitter<void>();
  readonly onDidHide = this.#hidden.event;
  readonly onDidTriggerButton = this.#pressed.event;
  readonly onDidChangeValue = this.#typed.event;
  readonly onDidAccept = this.#accepted.event;

  show(): void {
    window.shown.push(this as never);
  }

  dispose(): void {
    this.isDisposed = true;
    this.#hidden.fire();
  }

  escape(): void {
    this.#hidden.fire();
  }

  press(button: object): void {
    this.#pressed.fire(button);
  }

  type(text: string): void {
    this.value = text;
    this.#typed.fire(text);
  }

  accept(): void {
    this.#accepted.fire();
  }
}

export class QuickPick extends QuickInput {
  items: readonly Item[] = [];
  activeItems: readonly Item[] = [];
  selectedItems: readonly Item[] = [];
  matchOnDescription = false;
  matchOnDetail = false;
  readonly #active = new EventEmitter<readonly Item[]>();
  readonly #itemButton = new EventEmitter<{ readonly item: Item; readonly button: object }>();
  readonly onDidChangeActive = this.#active.event;
  readonly onDidTriggerItemButton = this.#itemButton.event;

  get labels(): readonly string[] {
    return this.items.map(({ label }) => label);
  }

  choose(label: string): void {
    this.selectedItems = this.items.filter((item) => item.label === label);
    this.accept();
  }

  pressOn(label: string, button: object): void {
    const item = this.items.find((one) => one.label === label);
    if (item) this.#itemButton.fire({ item, button });
  }
}

export class InputBox extends QuickInput {
  prompt: string | undefined;
  password = false;
  validationMessage: string | object | undefined;
}

interface TreeView {
  readonly visible: boolean;
  badge: unknown;
  message: string | undefined;
  readonly onDidChangeVisibility: unknown;
  readonly dispose: () => void;
}

export const window = {
  /** All shown inputs, in order. */
  shown: [] as (QuickPick & InputBox)[],
  createQuickPick: () => new QuickPick(),
  createInputBox: () => new InputBox(),
  setStatusBarMessage: () => undefined,
  createStatusBarItem: () => {
    const item = {
      text: '',
      isShown: false,
      show: () => {
        item.isShown = true;
      },
      hide: () => {
        item.isShown = false;
      },
      dispose: () => undefined,
    };
    window.statusBarItem = item;
    return item;
  },
  /** The last status bar item. */
  statusBarItem: undefined as
    | { readonly text: string; readonly tooltip?: string; readonly isShown: boolean }
    | undefined,
  /** All shown messages, and the button that the user selects in the next ones. */
  said: [] as string[],
  pressed: undefined as string | undefined,
  showInformationMessage: async (sentence: string) => {
    window.said.push(sentence);
    return window.pressed;
  },
  /** The details of modal dialogs among them. */
  details: [] as string[],
  showWarningMessage: async (sentence: string, ...more: readonly unknown[]) => {
    window.said.push(sentence);
    const { detail } = (more[0] ?? {}) as { readonly detail?: string };
    if (detail !== undefined) window.details.push(detail);
    const titled = more.find((one) => (one as { title?: string }).title === window.pressed);
    return (window.pressed && titled) || window.pressed;
  },
  showErrorMessage: async (sentence: string, ...buttons: readonly { readonly title: string }[]) => {
    window.said.push(sentence);
    return buttons.find(({ title }) => title === window.pressed);
  },
  withProgress: async <T>(_: object, work: (progress: object, token: object) => Promise<T>) =>
    work({ report: () => undefined }, { onCancellationRequested: () => undefined }),
  /** The lines sent to terminals. */
  sent: [] as string[],
  createTerminal: () => ({
    show: () => undefined,
    sendText: (line: string) => void window.sent.push(line),
  }),
  activeTextEditor: undefined as { readonly document: unknown } | undefined,
  /** The texts of opened documents. */
  opened: [] as unknown[],
  showTextDocument: async (document: unknown) => void window.opened.push(document),
  /** A visible view. */
  createTreeView: () => {
    window.view = {
      visible: true,
      badge: undefined,
      message: undefined,
      onDidChangeVisibility: new EventEmitter<object>().event,
      dispose: () => undefined,
    };
    return window.view;
  },
  /** The last tree view. */
  view: undefined as TreeView | undefined,
};

export const workspace = {
  settings: {} as Record<string, unknown>,
  /** The settings with a workspace value. */
  ofWorkspace: new Set<string>(),
  isTrusted: true,
  getConfiguration: (section: string) => ({
    get: (key: string, standard?: unknown) => workspace.settings[`${section}.${key}`] ?? standard,
    inspect: (key: string) => {
      const id = `${section}.${key}`;
      const scope = workspace.ofWorkspace.has(id) ? 'workspaceValue' : 'globalValue';
      return { [scope]: workspace.settings[id] };
    },
  }),
  registerTextDocumentContentProvider: () => ({ dispose: () => undefined }),
  configured: new EventEmitter<object>(),
  onDidChangeConfiguration: (listener: Listener<object>) => workspace.configured.event(listener),
  /** Changes settings and emits the change event. */
  configure: (settings: Record<string, unknown>) => {
    const keys = [...Object.keys(workspace.settings), ...Object.keys(settings)];
    workspace.settings = settings;
    const affectsConfiguration = (section: string) =>
      keys.some((key) => key === section || key.startsWith(`${section}.`));
    workspace.configured.fire({ affectsConfiguration });
  },
  openTextDocument: async ({ content }: { readonly content: string }) => content,
  workspaceFolders: undefined as
    | { readonly uri: { readonly scheme: string; readonly fsPath: string } }[]
    | undefined,
  onDidChangeWorkspaceFolders: new EventEmitter<void>().event,
  saved: new EventEmitter<object>(),
  closed: new EventEmitter<object>(),
  onDidSaveTextDocument: (listener: Listener<object>) => workspace.saved.event(listener),
  onDidCloseTextDocument: (listener: Listener<object>) => workspace.closed.event(listener),
  asRelativePath: ({ fsPath }: { readonly fsPath: string }) => fsPath.split('/').at(-1),
  onDidGrantWorkspaceTrust: new EventEmitter<void>().event,
};

export const StatusBarAlignment = { Left: 1, Right: 2 } as const;

export const DiagnosticSeverity = { Error: 0 } as const;

export class Position {
  readonly line: number;
  readonly character: number;

  constructor(line: number, character: number) {
    this.line = line;
    this.character = character;
  }
}

export class Range {
  readonly start: Position;
  readonly end: Position;

  constructor(start: Position, end: Position) {
    this.start = start;
    this.end = end;
  }
}

export class Diagnostic {
  readonly range: Range;
  readonly message: string;
  readonly severity: number;

  constructor(range: Range, message: string, severity: number) {
    this.range = range;
    this.message = message;
    this.severity = severity;
  }
}

export const languages = {
  /** The current diagnostics, by document. */
  diagnostics: new Map<unknown, readonly Diagnostic[]>(),
  createDiagnosticCollection: () => ({
    has: (uri: unknown) => languages.diagnostics.has(uri),
    set: (uri: unknown, all: readonly Diagnostic[]) => void languages.diagnostics.set(uri, all),
    delete: (uri: unknown) => void languages.diagnostics.delete(uri),
    dispose: () => languages.diagnostics.clear(),
  }),
};

/** VS Code commands that a test replaces, and all commands that ran. */
export const commands = {
  handlers: new Map<string, (...args: unknown[]) => unknown>(),
  run: [] as (readonly unknown[])[],
  registerCommand: (id: string, run: (...args: unknown[]) => unknown) => {
    commands.handlers.set(id, run);
    return { dispose: () => void commands.handlers.delete(id) };
  },
  executeCommand: async (id: string, ...args: unknown[]) => {
    commands.run.push([id, ...args]);
    return commands.handlers.get(id)?.(...args);
  },
};

export const ProgressLocation = { Notification: 15 } as const;

export const TreeItemCollapsibleState = { None: 0, Collapsed: 1, Expanded: 2 } as const;

export class TreeItem {
  readonly label: string;
  readonly collapsibleState: number;

  constructor(label: string, collapsibleState = 0) {
    this.label = label;
    this.collapsibleState = collapsibleState;
  }
}

export class MarkdownString {
  value = '';

  appendMarkdown(text: string): this {
    this.value += text;
    return this;
  }
}

export class McpStdioServerDefinition {
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | number | null>>;
  readonly version: string | undefined;

  constructor(
    label: string,
    command: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string | number | null>> = {},
    version?: string,
  ) {
    this.label = label;
    this.command = command;
    this.args = args;
    this.env = env;
    this.version = version;
  }
}

export const l10n = {
  t: (text: string, ...args: readonly unknown[]) =>
    text.replace(/\{(\d+)\}/g, (_, at) => String(args[Number(at)])),
};

export const env = {
  clipboard: {
    text: '',
    async writeText(text: string): Promise<void> {
      env.clipboard.text = text;
    },
  },
};
