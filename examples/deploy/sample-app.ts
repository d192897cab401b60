import { App, type AppProps, type Environment } from 'aws-cdk-lib';
import { ImagesStack } from './images-stack.ts';
import { RuntimesStack } from './runtimes-stack.ts';

/**
 * Both stacks. Context says what may differ: `repositoryPrefix`, `imageTag`, `idleTimeout` and
 * `maxLifetime` in seconds.
 *
 * @param env Account and region; without it, those of whoever deploys.
 */
export function sampleApp(props: AppProps = {}, env: Environment = {}) {
  const app = new App(props);
  const text = (name: string, standard: string) => String(app.node.tryGetContext(name) ?? standard);
  const seconds = (name: string, standard: number) => {
    const value = Number(app.node.tryGetContext(name) ?? standard);
    if (Number.isInteger(value) && value >= 60) return value;
    throw new Error(`${name} must be a whole number of seconds from 60 on`);
  };
  const repositoryPrefix = text('repositoryPrefix', 'agentcore-mcp');
  const images = new ImagesStack(app, 'AgentCoreMcpImages', { env, repositoryPrefix });
  const runtimes = new RuntimesStack(app, 'AgentCoreMcpRuntimes', {
    env,
    repositoryPrefix,
    imageTag: text('imageTag', '1'),
    // A sample that was forgotten should not cost for long.
    idleTimeout: seconds('idleTimeout', 300),
    maxLifetime: seconds('maxLifetime', 3600),
  });
  runtimes.addStackDependency(images, 'A runtime needs its image');
  return { app, images, runtimes };
}
