import { expect, it } from 'vitest';
import { ProxyProcess, RUNTIME_ARN } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { isCall, result, type Seen, startUpstream } from '../fixtures/scripted-upstream.ts';

const START =
  'require("node:child_process").spawn("sh", ["-c", "ulimit -n 48; exec \\"$0\\" dist/proxy.js", process.execPath], { stdio: "inherit" })';

const WITHOUT_PROC = new URL('../fixtures/without-proc.mjs', import.meta.url);

// Windows has no such limit.
it.runIf(process.platform !== 'win32').each([
  ['/proc', {}],
  ['a report, as on macOS', { NODE_OPTIONS: `--import=${WITHOUT_PROC}` }],
])(
  'sixty concurrent calls wait for each other if only 48 files may be open by %s, and the session is stopped',
  async (_, options) => {
    const held: Seen[] = [];
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      held.push(seen);
      return true;
    });
    const env = {
      AGENTCORE_AGENT_ARN: RUNTIME_ARN,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL: upstream.url,
      AGENTCORE_RETRIES: '0',
      ...options,
    };
    const proxy = endWithTest(new ProxyProcess(env, ['-e', START]), (one) => one.kill());
    await proxy.initialize();
    const ids = Array.from({ length: 60 }, () => proxy.begin('tools/call', { name: 'slow' }));
    let answered = 0;
    while (answered < ids.length) {
      await expect.poll(() => held.length).toBeGreaterThan(0);
      for (const seen of held.splice(0)) {
        result(seen, {});
        answered++;
      }
    }
    for (const id of ids) expect((await proxy.answerTo(id)).error).toBeUndefined();
    proxy.child.stdin?.end();
    await upstream.saw('the stop', ({ path }) => path.endsWith('/stopruntimesession'));
  },
);
