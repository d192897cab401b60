import * as vscode from 'vscode';
import { UserCancelledError } from '../servers/preparation.ts';

// Questions to the user as Quick Picks and input boxes, and a wizard for several questions.

/** The common properties of all questions. */
interface Question {
  readonly title: string;
  /** Absent for a question outside of a wizard. */
  readonly position?: StepPosition | undefined;
  /** Overrides `position.canGoBack`, for a second question within one step. */
  readonly canGoBack?: boolean | undefined;
}

/** An item or a separator. */
export type PickItem<T> =
  | (vscode.QuickPickItem & { readonly value: T })
  | (vscode.QuickPickItem & { readonly kind: vscode.QuickPickItemKind.Separator });

/** An open list. Code can fill it while the user looks at it. */
export interface PickList<T> {
  show(items: readonly PickItem<T>[]): void;
  busy(isBusy: boolean): void;
  /** Closes the list with this answer. */
  answer(value: T): void;
  /** Aborts when the question closes for any reason. */
  readonly signal: AbortSignal;
}

interface TitleButton<T> {
  readonly icon: string;
  readonly tooltip: string;
  readonly run: (list: PickList<T>) => void | Promise<void>;
}

interface PickQuestion<T> extends Question {
  readonly placeholder: string;
  readonly items?: readonly PickItem<T>[] | undefined;
  /** Selects the initially active item. */
  readonly isActive?: ((value: T) => boolean) | undefined;
  /** Fills the open list. If it rejects, the question rejects with the same error. */
  readonly fill?: ((list: PickList<T>) => Promise<void>) | undefined;
  /**
   * Converts typed text, such as an ARN, to an item above the list. `undefined` if the text is only
   * a search. Also called with an empty text.
   */
  readonly typed?: ((text: string) => PickItem<T> | undefined) | undefined;
  readonly buttons?: readonly TitleButton<T>[] | undefined;
  /** Called when the user presses a button of an item. */
  readonly onItemButton?:
    | ((value: T, tooltip: string, list: PickList<T>) => void | Promise<void>)
    | undefined;
}

export interface InputQuestion extends Question {
  readonly prompt: string;
  readonly placeholder: string;
  readonly value?: string | undefined;
  readonly password?: boolean | undefined;
  /**
   * Validates the text after each change. Returns an error message, or `undefined` if the text is
   * valid. Also called with an empty text when the user presses Enter.
   */
  readonly check?: ((text: string) => string | undefined) | undefined;
  /** Returns a warning for a valid text, if any. */
  readonly caution?: ((text: string) => string | undefined) | undefined;
}

/**
 * Shows a list.
 *
 * @returns the picked value, or {@link BACK} if the user presses Back.
 * @throws {UserCancelledError} if the user presses Escape.
 */
export function pick<T>(question: PickQuestion<T>): Promise<T | Back> {
  const quickPick = vscode.window.createQuickPick<PickItem<T>>();
  quickPick.placeholder = question.placeholder;
  quickPick.matchOnDescription = true;
  quickPick.matchOnDetail = true;
  return showQuestion<T>(quickPick, question, ({ signal, settle, fail }) => {
    let items = question.items ?? [];
    let wasMoved = false;
    const show = () => {
      if (signal.aborted) return;
      const typed = question.typed?.(quickPick.value.trim());
      const before = quickPick.activeItems[0];
      quickPick.items = typed ? [{ ...typed, alwaysShow: true }, ...items] : items;
      const active = wasMoved && before ? createItemMatcher(before) : isStart(question.isActive);
      const kept = quickPick.items.find(active);
      if (kept && !typed) quickPick.activeItems = [kept];
    };
    const list: PickList<T> = {
      signal,
      show(more) {
        items = more;
        show();
      },
      busy(isBusy) {
        if (!signal.aborted) quickPick.busy = isBusy;
      },
      answer: settle,
    };
    const attempt = (work: () => void | Promise<void>) => {
      Promise.resolve()
        .then(work)
        .catch((thrown) => {
          if (!signal.aborted) fail(thrown);
        });
    };
    const buttons = (question.buttons ?? []).map(({ icon, tooltip, run }) => {
      return { iconPath: new vscode.ThemeIcon(icon), tooltip, run };
    });
    quickPick.buttons = [...quickPick.buttons, ...buttons];
    quickPick.onDidTriggerButton((pressed) => {
      const button = buttons.find((one) => one === pressed);
      if (button) attempt(() => button.run(list));
    });
    quickPick.onDidTriggerItemButton(({ item, button }) => {
      if ('value' in item) {
        attempt(() => question.onItemButton?.(item.value, button.tooltip ?? '', list));
      }
    });
    quickPick.onDidChangeActive(([active]) => {
      // VS Code makes the first item active by default, so this is no choice of the user.
      const first = quickPick.items.find((item) => 'value' in item);
      const byItself =
        active === undefined || active === first || isStart(question.isActive)(active);
      wasMoved ||= !byItself;
    });
    quickPick.onDidChangeValue(show);
    quickPick.onDidAccept(() => {
      const [chosen] = quickPick.selectedItems;
      if (chosen && 'value' in chosen) settle(chosen.value);
    });
    show();
    const { fill } = question;
    if (fill) {
      quickPick.busy = true;
      attempt(() => fill(list).finally(() => list.busy(false)));
    }
  });
}

/**
 * Prompts for a text and trims it.
 *
 * @throws {UserCancelledError} if the user presses Escape.
 */
export function askText(question: InputQuestion): Promise<string | Back> {
  const box = vscode.window.createInputBox();
  const check = (text: string) => question.check?.(text.trim());
  box.prompt = question.prompt;
  box.placeholder = question.placeholder;
  box.value = question.value ?? '';
  box.password = question.password ?? false;
  return showQuestion<string>(box, question, ({ settle }) => {
    const cautionOn = (text: string) => {
      const message = question.caution?.(text.trim());
      return message && { message, severity: vscode.InputBoxValidationSeverity.Warning };
    };
    const judge = (text: string) => {
      // Show no error for an empty text until the user presses Enter.
      box.validationMessage = text.trim() ? (check(text) ?? cautionOn(text)) : undefined;
    };
    judge(box.value);
    box.onDidChangeValue(judge);
    box.onDidAccept(() => {
      const wrong = check(box.value);
      if (wrong === undefined) settle(box.value.trim());
      else box.validationMessage = wrong;
    });
  });
}

interface Settling<T> {
  readonly signal: AbortSignal;
  readonly settle: (answer: T | Back) => void;
  readonly fail: (thrown: unknown) => void;
}

/** Shows a question. The promise always settles when the question closes. */
function showQuestion<T>(
  shown: vscode.QuickPick<PickItem<T>> | vscode.InputBox,
  { title, position, canGoBack = position?.canGoBack }: Question,
  begin: (settling: Settling<T>) => void,
): Promise<T | Back> {
  shown.title = title;
  if (position) {
    shown.step = position.step;
    shown.totalSteps = position.total;
  }
  if (canGoBack) shown.buttons = [vscode.QuickInputButtons.Back];
  // Keep the question open if a sign-in moves the focus to the browser.
  shown.ignoreFocusOut = true;
  const over = new AbortController();
  return new Promise<T | Back>((resolve, reject) => {
    shown.onDidTriggerButton((button) => {
      if (button === vscode.QuickInputButtons.Back) resolve(BACK);
    });
    shown.onDidHide(() => reject(new UserCancelledError()));
    begin({ signal: over.signal, settle: resolve, fail: reject });
    shown.show();
  }).finally(() => {
    over.abort();
    shown.dispose();
  });
}

function createItemMatcher<T>(before: PickItem<T>): (item: PickItem<T>) => boolean {
  return (item) => item.kind === before.kind && item.label === before.label;
}

function isStart<T>(isActive: ((value: T) => boolean) | undefined): (item: PickItem<T>) => boolean {
  return (item) => 'value' in item && (isActive?.(item.value) ?? false);
}

export function createSeparator(label: string): PickItem<never> {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

/** The answer of a question if the user presses Back. */
export const BACK = Symbol('back');

export type Back = typeof BACK;

/** The position of a step within the wizard. */
export interface StepPosition {
  /** Starts at 1. */
  readonly step: number;
  /** An estimate, because an answer can add or skip steps. */
  readonly total: number;
  readonly canGoBack: boolean;
}

/** One step of a wizard. The draft contains the earlier answers, so Back loses nothing. */
export interface FlowStep<Draft> {
  /** Whether the step applies to the draft. Default: always. */
  readonly applies?: ((draft: Draft) => boolean) | undefined;
  /**
   * Asks the user and returns the changed draft.
   *
   * @throws an error to end the wizard, such as `UserCancelledError`.
   */
  readonly ask: (draft: Draft, position: StepPosition) => Promise<Draft | Back>;
}

/** Runs the steps in order and handles Back. Returns the draft after the last step. */
export async function runWizard<Draft>(
  steps: readonly FlowStep<Draft>[],
  begin: Draft,
): Promise<Draft> {
  let draft = begin;
  const asked: number[] = [];
  for (let at = findNextStep(steps, draft, 0); at < steps.length; ) {
    const answer = await (steps[at] as FlowStep<Draft>).ask(draft, {
      step: asked.length + 1,
      total: asked.length + steps.slice(at).filter((step) => isAsked(step, draft)).length,
      canGoBack: asked.length > 0,
    });
    if (answer === BACK) {
      at = asked.pop() ?? at;
    } else {
      draft = answer;
      asked.push(at);
      at = findNextStep(steps, draft, at + 1);
    }
  }
  return draft;
}

function findNextStep<Draft>(
  steps: readonly FlowStep<Draft>[],
  draft: Draft,
  from: number,
): number {
  const at = steps.findIndex((step, index) => index >= from && isAsked(step, draft));
  return at < 0 ? steps.length : at;
}

function isAsked<Draft>({ applies }: FlowStep<Draft>, draft: Draft): boolean {
  return applies?.(draft) ?? true;
}
