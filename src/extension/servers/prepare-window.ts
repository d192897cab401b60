import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { AWS_FILE_VARIABLES } from '../window-environment.ts';
import { createNetworkVariables } from './network-environment.ts';
import type { PreparationStep } from './server-preparation.ts';

/** Passes the window's AWS file and network settings to the proxy as variables. */
export function prepareWindow(env: () => Environment): PreparationStep {
  return async () => {
    const http = vscode.workspace.getConfiguration('http');
    const window = env();
    const network = createNetworkVariables(
      {
        proxy: http.get<string>('proxy') || undefined,
        noProxy: http.get<readonly string[]>('noProxy') ?? [],
        proxySupport: http.get<string>('proxySupport'),
        strictSsl: http.get<boolean>('proxyStrictSSL'),
        systemCertificates: http.get<boolean>('systemCertificates'),
      },
      window,
    );
    return {
      ...network,
      ...Object.fromEntries(
        AWS_FILE_VARIABLES.flatMap((name) => (window[name] ? [[name, window[name]]] : [])),
      ),
    };
  };
}
