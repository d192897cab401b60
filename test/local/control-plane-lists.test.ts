import {
  BedrockAgentCoreControlClient,
  GetAgentRuntimeCommand,
  GetAgentRuntimeEndpointCommand,
  GetGatewayCommand,
  GetGatewayTargetCommand,
  ListAgentRuntimeEndpointsCommand,
  ListAgentRuntimesCommand,
  ListAgentRuntimeVersionsCommand,
  ListGatewaysCommand,
  ListGatewayTargetsCommand,
  ListTagsForResourceCommand,
  paginateListAgentRuntimeEndpoints,
  paginateListAgentRuntimes,
  paginateListAgentRuntimeVersions,
  paginateListGateways,
  paginateListGatewayTargets,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { start, statelessMcp } from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

/** Five of each. */
const RUNTIMES = Object.fromEntries(
  NAMES.map((name) => [name, statelessMcp({ version: 5, endpoints: NAMES })]),
);
const GATEWAYS: LocalConfig['gateways'] = Object.fromEntries(
  NAMES.map((name) => [
    name,
    { targets: Object.fromEntries(NAMES.map((target) => [target, { runtime: target }])) },
  ]),
);

function control({ url: endpoint, region, credentials }: LocalRuntime, maxAttempts = 1) {
  const client = new BedrockAgentCoreControlClient({ endpoint, region, credentials, maxAttempts });
  onTestFinished(() => client.destroy());
  return client;
}

interface Paging {
  readonly client: BedrockAgentCoreControlClient;
  readonly pageSize: number;
}

async function pagesOf<T>(
  pages: AsyncIterable<T>,
  namesIn: (page: T) => (string | undefined)[] | undefined,
) {
  const all: unknown[] = [];
  for await (const page of pages) all.push(namesIn(page));
  return all;
}

/** Each list: page by page with the SDK's paginator, and one page with a command. */
const LISTS = {
  ListAgentRuntimes: {
    pages: (paging: Paging) =>
      pagesOf(paginateListAgentRuntimes(paging, {}), ({ agentRuntimes }) =>
        agentRuntimes?.map((runtime) => runtime.agentRuntimeName),
      ),
    page: (client: BedrockAgentCoreControlClient, _: LocalRuntime, page: object) =>
      client.send(new ListAgentRuntimesCommand(page)),
    most: 100,
  },
  ListAgentRuntimeEndpoints: {
    pages: (paging: Paging, local: LocalRuntime) =>
      pagesOf(
        paginateListAgentRuntimeEndpoints(paging, { agentRuntimeId: local.runtime('a').runtimeId }),
        ({ runtimeEndpoints }) => runtimeEndpoints?.map(({ name }) => name),
      ),
    page: (client: BedrockAgentCoreControlClient, local: LocalRuntime, page: object) => {
      const agentRuntimeId = local.runtime('a').runtimeId;
      return client.send(new ListAgentRuntimeEndpointsCommand({ agentRuntimeId, ...page }));
    },
    most: 100,
  },
  ListAgentRuntimeVersions: {
    pages: (paging: Paging, local: LocalRuntime) =>
      pagesOf(
        paginateListAgentRuntimeVersions(paging, { agentRuntimeId: local.runtime('a').runtimeId }),
        // The newest version comes first.
        ({ agentRuntimes }) =>
          agentRuntimes?.map(({ agentRuntimeVersion }) => NAMES[5 - Number(agentRuntimeVersion)]),
      ),
    page: (client: BedrockAgentCoreControlClient, local: LocalRuntime, page: object) => {
      const agentRuntimeId = local.runtime('a').runtimeId;
      return client.send(new ListAgentRuntimeVersionsCommand({ agentRuntimeId, ...page }));
    },
    most: 100,
  },
  ListGateways: {
    pages: (paging: Paging) =>
      pagesOf(paginateListGateways(paging, {}), ({ items }) => items?.map(({ name }) => name)),
    page: (client: BedrockAgentCoreControlClient, _: LocalRuntime, page: object) =>
      client.send(new ListGatewaysCommand(page)),
    most: 1000,
  },
  ListGatewayTargets: {
    pages: (paging: Paging, local: LocalRuntime) =>
      pagesOf(
        paginateListGatewayTargets(paging, { gatewayIdentifier: local.gateway('a').gatewayId }),
        ({ items }) => items?.map(({ name }) => name),
      ),
    page: (client: BedrockAgentCoreControlClient, local: LocalRuntime, page: object) => {
      const gatewayIdentifier = local.gateway('a').gatewayId;
      return client.send(new ListGatewayTargetsCommand({ gatewayIdentifier, ...page }));
    },
    most: 1000,
  },
} as const;

type ListName = keyof typeof LISTS;

const THROTTLED = {
  name: 'ThrottlingException',
  $metadata: expect.objectContaining({ httpStatusCode: 429 }),
};

describe.each(Object.keys(LISTS) as ListName[])('%s', (name) => {
  const { pages, page, most } = LISTS[name];

  test('is returned in pages, each entry once', async () => {
    const local = await start(RUNTIMES, { gateways: GATEWAYS });
    expect(await pages({ client: control(local), pageSize: 2 }, local)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e'],
    ]);
    expect(await pages({ client: control(local), pageSize: 5 }, local)).toEqual([NAMES]);
  });

  test('rejects an invalid page size or token', async () => {
    const local = await start(RUNTIMES, { gateways: GATEWAYS });
    const client = control(local);
    const other = await page(client, local, { maxResults: 1 });
    const foreign = name === 'ListGateways' ? LISTS.ListGatewayTargets : LISTS.ListGateways;
    for (const attempt of [
      () => page(client, local, { maxResults: 0 }),
      () => page(client, local, { maxResults: most + 1 }),
      () => page(client, local, { nextToken: 'made-up' }),
      () => foreign.page(client, local, { nextToken: other.nextToken }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        name: 'ValidationException',
        $metadata: expect.objectContaining({ httpStatusCode: 400 }),
      });
    }
    await expect(page(client, local, { maxResults: most })).resolves.toBeDefined();
  });

  test('is throttled at five calls a second as on AWS, independently of other lists', async () => {
    const clock = new ManualClock();
    const switches = { maxListsPerSecond: 5 };
    const local = await start(RUNTIMES, { gateways: GATEWAYS, switches }, { clock });
    const client = control(local);
    for (let call = 0; call < 5; call += 1) await page(client, local, {});
    await expect(page(client, local, {})).rejects.toMatchObject(THROTTLED);
    for (const other of Object.keys(LISTS) as ListName[]) {
      if (other !== name) await LISTS[other].page(client, local, {});
    }
    clock.advance(1000);
    await expect(page(client, local, {})).resolves.toBeDefined();
  });

  test('is retried by the SDK after throttling', async () => {
    const local = await start(RUNTIMES, { gateways: GATEWAYS });
    const fault = local.faults.inject({ kind: 'throttle', operation: 'control', method: name });
    const { $metadata } = await page(control(local, 3), local, {});
    expect($metadata.attempts).toBe(2);
    expect(fault.hits).toBe(1);
  });
});

test('GetGateway and GetAgentRuntime have their own rate limit', async () => {
  const clock = new ManualClock();
  const switches = { maxGetsPerSecond: 1 };
  const local = await start(RUNTIMES, { gateways: GATEWAYS, switches }, { clock });
  const client = control(local);
  const get = () =>
    client.send(new GetGatewayCommand({ gatewayIdentifier: local.gateway('a').gatewayId }));
  await get();
  await expect(get()).rejects.toMatchObject(THROTTLED);
  const agentRuntimeId = local.runtime('a').runtimeId;
  await client.send(new GetAgentRuntimeCommand({ agentRuntimeId }));
});

describe('versions', () => {
  test('are returned one by one, and the newest without a version in the request', async () => {
    const local = await start({ notes: statelessMcp({ version: 3 }) });
    const agentRuntimeId = local.runtime('notes').runtimeId;
    const versionOf = async (agentRuntimeVersion?: string) => {
      const command = new GetAgentRuntimeCommand({ agentRuntimeId, agentRuntimeVersion });
      return (await control(local).send(command)).agentRuntimeVersion;
    };
    expect(await versionOf()).toBe('3');
    expect(await versionOf('2')).toBe('2');
    await expect(versionOf('4')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('are served by endpoints, the newest one by default', async () => {
    const endpoints = ['DEFAULT', { name: 'production', version: 2 }];
    const local = await start({ notes: statelessMcp({ version: 3, endpoints }) });
    const agentRuntimeId = local.runtime('notes').runtimeId;
    const { runtimeEndpoints } = await control(local).send(
      new ListAgentRuntimeEndpointsCommand({ agentRuntimeId }),
    );
    expect(runtimeEndpoints).toMatchObject([
      { name: 'DEFAULT', liveVersion: '3' },
      { name: 'production', liveVersion: '2' },
    ]);
  });

  test('cannot be served before they exist', async () => {
    const endpoints = [{ name: 'production', version: 2 }];
    await expect(start({ notes: statelessMcp({ endpoints }) })).rejects.toThrow(
      'the newest version is 1',
    );
  });
});

describe('GetGateway', () => {
  const gateways: LocalConfig['gateways'] = {
    Signed: { targets: { notes: { runtime: 'notes' } }, sessions: true, sessionTimeout: 900 },
    Tokens: { authorizer: { allowedClients: ['ci'], allowedScopes: ['tools/call'] } },
    Open: { authorizer: 'NONE' },
  };

  function get(local: LocalRuntime, gatewayIdentifier: string) {
    return control(local).send(new GetGatewayCommand({ gatewayIdentifier }));
  }

  test('returns the URL and the authorizer of a gateway', async () => {
    const local = await start({ notes: statelessMcp() }, { gateways });
    const { gatewayId, arn, url } = local.gateway('Signed');
    const told = await get(local, gatewayId);
    expect(told).toMatchObject({
      gatewayId,
      gatewayArn: arn,
      gatewayUrl: url,
      name: 'Signed',
      status: 'READY',
      protocolType: 'MCP',
      authorizerType: 'AWS_IAM',
      protocolConfiguration: {
        mcp: { sessionConfiguration: { sessionTimeoutInSeconds: 900 } },
      },
    });
    expect(told.authorizerConfiguration).toBeUndefined();
    expect(gatewayId).toMatch(/^([0-9a-z]-?){1,100}-[0-9a-z]{10}$/);
    expect(await get(local, arn)).toMatchObject({ gatewayId });
    expect(await get(local, local.gateway('Open').gatewayId)).toMatchObject({
      authorizerType: 'NONE',
    });
    expect(await get(local, local.gateway('Tokens').gatewayId)).toMatchObject({
      authorizerType: 'CUSTOM_JWT',
      authorizerConfiguration: {
        customJWTAuthorizer: {
          discoveryUrl: local.oauth.discoveryUrl,
          allowedClients: ['ci'],
          allowedScopes: ['tools/call'],
        },
      },
    });
  });

  test('returns the URL, and the list of gateways does not', async () => {
    const local = await start({ notes: statelessMcp() }, { gateways });
    const { items = [] } = await control(local).send(new ListGatewaysCommand({}));
    expect(items.map(({ name, authorizerType }) => [name, authorizerType])).toEqual([
      ['Signed', 'AWS_IAM'],
      ['Tokens', 'CUSTOM_JWT'],
      ['Open', 'NONE'],
    ]);
    expect(JSON.stringify(items)).not.toContain('/mcp');
  });

  test('returns an error for an unknown gateway, as the lists do', async () => {
    const local = await start({ notes: statelessMcp() }, { gateways });
    const gatewayIdentifier = 'others-0123456789';
    const missing = { name: 'ResourceNotFoundException' };
    await expect(get(local, gatewayIdentifier)).rejects.toMatchObject(missing);
    await expect(
      control(local).send(new ListGatewayTargetsCommand({ gatewayIdentifier })),
    ).rejects.toMatchObject(missing);
  });
});

test('an endpoint, a target and tags are returned one by one', async () => {
  const local = await start(RUNTIMES, { gateways: GATEWAYS });
  const client = control(local);
  const { arn } = local.runtime('a');
  const agentRuntimeId = arn.split('/')[1];
  const endpoint = await client.send(
    new GetAgentRuntimeEndpointCommand({ agentRuntimeId, endpointName: 'b' }),
  );
  expect(endpoint).toMatchObject({ name: 'b', status: 'READY', agentRuntimeArn: arn });
  const { items = [] } = await client.send(new ListGatewaysCommand({}));
  const gatewayIdentifier = items[0]?.gatewayId;
  const listed = await client.send(new ListGatewayTargetsCommand({ gatewayIdentifier }));
  const targetId = listed.items?.[0]?.targetId;
  const target = await client.send(new GetGatewayTargetCommand({ gatewayIdentifier, targetId }));
  expect(target).toMatchObject({ targetId, name: listed.items?.[0]?.name, status: 'READY' });
  expect(target.gatewayArn).toContain(`gateway/${gatewayIdentifier}`);
  for (const resourceArn of [arn, `${arn}/runtime-endpoint/b`, target.gatewayArn]) {
    const { tags } = await client.send(new ListTagsForResourceCommand({ resourceArn }));
    expect(tags).toEqual({});
  }
  const missing = client.send(
    new GetAgentRuntimeEndpointCommand({ agentRuntimeId, endpointName: 'none' }),
  );
  await expect(missing).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});
