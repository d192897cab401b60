import * as vscode from 'vscode';

/** Two steps with a Back button. Returns undefined if the user cancels. */
export async function orderLunch(): Promise<string | undefined> {
  for (;;) {
    const dish = await pick(1, 'Choose a dish', ['Soup', 'Salad']);
    if (dish === undefined || dish === 'back') return undefined;
    const drink = await pick(2, `Choose a drink for the ${dish}`, ['Water', 'Tea']);
    if (drink !== 'back') return drink && `${dish} and ${drink}`;
  }
}

async function pick(step: number, placeholder: string, labels: readonly string[]) {
  const quickPick = vscode.window.createQuickPick();
  quickPick.title = 'Order Lunch';
  quickPick.step = step;
  quickPick.totalSteps = 2;
  quickPick.placeholder = placeholder;
  quickPick.items = labels.map((label) => ({ label, description: 'fresh' }));
  quickPick.buttons = step > 1 ? [vscode.QuickInputButtons.Back] : [];
  const picked = await new Promise<string | undefined>((resolve) => {
    quickPick.onDidTriggerButton(() => resolve('back'));
    quickPick.onDidAccept(() => resolve(quickPick.selectedItems[0]?.label));
    quickPick.onDidHide(() => resolve(undefined));
    quickPick.show();
  });
  quickPick.dispose();
  return picked;
}
