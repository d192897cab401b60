import { beforeEach, describe, expect, it } from 'vitest';
import { UserCancelledError } from '../../../src/extension/servers/preparation.ts';
import { askText, BACK, type PickList, pick } from '../../../src/extension/ui/wizard.ts';
import { type InputBox, QuickInputButtons, type QuickPick, window } from '../vscode-stub.ts';

const items = [
  { label: 'One', value: 1 },
  { label: 'Two', value: 2 },
];
const position = { step: 2, total: 5, canGoBack: true };

function shown(): QuickPick & InputBox {
  return window.shown.at(-1) as QuickPick & InputBox;
}

beforeEach(() => {
  window.shown.length = 0;
});

describe('a quick pick', () => {
  it('shows title, step and placeholder, and returns the selected item', async () => {
    const answer = pick({ title: 'Set Up', position, placeholder: 'Pick one', items });
    expect(shown()).toMatchObject({
      title: 'Set Up',
      step: 2,
      totalSteps: 5,
      placeholder: 'Pick one',
      ignoreFocusOut: true,
    });
    shown().choose('Two');
    expect(await answer).toBe(2);
    expect(shown().isDisposed).toBe(true);
  });

  it('always settles: Escape cancels, the Back button goes back', async () => {
    const escaped = pick({ title: '', placeholder: '', items });
    shown().escape();
    await expect(escaped).rejects.toBeInstanceOf(UserCancelledError);

    const back = pick({ title: '', position, placeholder: '', items });
    shown().press(QuickInputButtons.Back);
    expect(await back).toBe(BACK);
  });

  it('has no Back button on the first step', async () => {
    const answer = pick({
      title: '',
      position: { ...position, canGoBack: false },
      placeholder: '',
      items,
    });
    expect(shown().buttons).toEqual([]);
    shown().choose('One');
    await answer;
  });

  it('starts at the current value, and keeps the selection while it loads', async () => {
    let list: PickList<number> | undefined;
    let filled = () => {};
    const answer = pick<number>({
      title: '',
      placeholder: '',
      items,
      isActive: (value) => value === 2,
      fill: (open) => {
        list = open;
        return new Promise<void>((resolve) => {
          filled = resolve;
        });
      },
    });
    await Promise.resolve();
    expect(shown().activeItems).toMatchObject([{ label: 'Two' }]);
    expect(shown().busy).toBe(true);
    list?.show([{ label: 'Zero', value: 0 }, ...items]);
    expect(shown().labels).toEqual(['Zero', 'One', 'Two']);
    expect(shown().activeItems).toMatchObject([{ label: 'Two' }]);
    filled();
    await new Promise(setImmediate);
    expect(shown().busy).toBe(false);
    shown().choose('Zero');
    expect(await answer).toBe(0);
    expect(list?.signal.aborted).toBe(true);
  });

  it('rejects with the error of its loader', async () => {
    const answer = pick({
      title: '',
      placeholder: '',
      fill: () => Promise.reject(new Error('no profiles')),
    });
    await expect(answer).rejects.toThrow('no profiles');
  });

  it('offers the value of typed text', async () => {
    const answer = pick<number>({
      title: '',
      placeholder: '',
      items,
      typed: (text) => (text === '7' ? { label: 'Use 7', value: 7 } : undefined),
    });
    shown().type('x');
    expect(shown().labels).toEqual(['One', 'Two']);
    shown().type('7');
    expect(shown().items[0]).toMatchObject({ label: 'Use 7', alwaysShow: true });
    shown().choose('Use 7');
    expect(await answer).toBe(7);
  });

  it('can be answered by an item button', async () => {
    const button = { iconPath: '', tooltip: 'Sign In' };
    const answer = pick<number>({
      title: '',
      placeholder: '',
      items,
      onItemButton: (value, _tooltip, list) => list.answer(value * 10),
    });
    shown().pressOn('Two', button);
    expect(await answer).toBe(20);
  });
});

describe('an input box', () => {
  const check = (text: string) => (text.startsWith('arn:') ? undefined : 'Not an ARN');

  it('validates while the user types, and accepts valid text only', async () => {
    const answer = askText({ title: '', position, prompt: '', placeholder: '', check });
    shown().type('x');
    expect(shown().validationMessage).toBe('Not an ARN');
    shown().accept();
    shown().type('');
    expect(shown().validationMessage).toBeUndefined();
    shown().accept();
    expect(shown().validationMessage).toBe('Not an ARN');
    shown().type('  arn:x  ');
    expect(shown().validationMessage).toBeUndefined();
    shown().accept();
    expect(await answer).toBe('arn:x');
  });

  it('always settles: Escape cancels, the Back button goes back', async () => {
    const escaped = askText({ title: '', prompt: '', placeholder: '' });
    shown().escape();
    await expect(escaped).rejects.toBeInstanceOf(UserCancelledError);
    const back = askText({ title: '', position, prompt: '', placeholder: '' });
    shown().press(QuickInputButtons.Back);
    expect(await back).toBe(BACK);
  });

  it('has a Back button after a quick pick without step numbers', async () => {
    const back = askText({ title: '', canGoBack: true, prompt: '', placeholder: '' });
    shown().press(QuickInputButtons.Back);
    expect(await back).toBe(BACK);
    expect(shown().step).toBeUndefined();
  });

  it('accepts a value despite a warning, which is shown from the start', async () => {
    const caution = (text: string) => (text === 'dev' ? 'It will be replaced' : undefined);
    const answer = askText({ title: '', prompt: '', placeholder: '', value: 'dev', caution });
    expect(shown().validationMessage).toEqual({ message: 'It will be replaced', severity: 2 });
    shown().accept();
    expect(await answer).toBe('dev');
  });
});
