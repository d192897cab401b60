import * as vscode from 'vscode';

const families: Readonly<Record<string, string[]>> = {
  Birds: ['Crow', 'Wren'],
  Fish: ['Pike'],
};

/** A tree of two levels whose leaves have an inline action and a menu. */
export class Animals implements vscode.TreeDataProvider<string> {
  getChildren(family?: string): string[] {
    return family === undefined ? Object.keys(families) : (families[family] ?? []);
  }

  getTreeItem(name: string): vscode.TreeItem {
    const state = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(name, name in families ? state.Collapsed : state.None);
    if (name in families) return item;
    item.contextValue = 'animal';
    item.description = 'hungry';
    return item;
  }
}
