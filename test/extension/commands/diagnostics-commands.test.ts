import { expect, it } from 'vitest';
import { formatDiagnostics } from '../../../src/extension/commands/diagnostics-commands.ts';
import { readEntries } from '../../../src/extension/settings/runtime-entry.ts';

it('lists runtimes and problems, without secrets or full account numbers', () => {
  const text = formatDiagnostics({
    extension: '1.2.3',
    vscode: '1.101.0',
    remote: 'ssh-remote',
    isTrusted: true,
    entries: readEntries([
      {
        name: 'weather',
        arn: 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef',
        assumeRole: { arn: 'arn:aws:iam::210987654321:role/Caller', externalId: 'external-1' },
        authorization: { type: 'tokenCommand', command: 'print-token --key hidden-1' },
      },
    ]).entries,
    problems: ['Runtime "bad" in agentcore.runtimes: arn is missing'],
    sessions: [{ state: 'idle', mode: 'session' }],
    journal: '/state/journal',
    env: {
      AWS_PROFILE: 'work',
      AWS_ACCESS_KEY_ID: 'AKIAHIDDENHIDDEN',
      AWS_SECRET_ACCESS_KEY: 'hidden-2',
      AWS_SESSION_TOKEN: 'hidden-3',
      HTTPS_PROXY: 'http://user:hidden-4@proxy.example',
    },
  });
  expect(text).toContain(
    'weather, arn:aws:bedrock-agentcore:eu-west-1:********9012:runtime/weather',
  );
  expect(text).toContain('broken: Runtime "bad"');
  expect(text).toContain('AWS_PROFILE=work');
  expect(text).toContain('HTTPS_PROXY is set');
  expect(text).toContain('- idle, mode session');
  expect(text).not.toMatch(/hidden|HIDDEN|external-1|123456789012|210987654321/);
});
