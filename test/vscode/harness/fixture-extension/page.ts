import * as vscode from 'vscode';

/** A webview with a bell. */
export function showPage(say: (text: string) => void): void {
  const column = vscode.ViewColumn.One;
  const panel = vscode.window.createWebviewPanel('fixture.page', 'Page', column, {
    enableScripts: true,
  });
  panel.webview.onDidReceiveMessage((message) => say(`page: ${message}`));
  panel.webview.html = `<!doctype html>
    <button onclick="api.postMessage('rung')">Ring</button>
    <script>const api = acquireVsCodeApi();</script>`;
}
