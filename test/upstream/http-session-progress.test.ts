import { describe, expect, it } from 'vitest';
import { createNotification, createRequest, createRequestId } from '../../src/mcp/message.ts';
import { ProgressTokenMap } from '../../src/upstream/http-session.ts';

function server() {
  return { notify: async () => undefined };
}

function question(progressToken: unknown) {
  return createRequest(createRequestId(1), 'sampling/createMessage', { _meta: { progressToken } });
}

function progressOn(progressToken: unknown) {
  return createNotification('notifications/progress', { progressToken, progress: 1 });
}

function tokenOf(message: { params: Record<string, unknown> | undefined }) {
  const meta = message.params?._meta as { progressToken: unknown };
  return meta.progressToken;
}

describe('progress on server requests of two sessions', () => {
  it('reaches the session of the request, even if both chose the same token', () => {
    const routes = new ProgressTokenMap();
    const one = server();
    const two = server();
    const first = tokenOf(routes.enter(question(0), one));
    const second = tokenOf(routes.enter(question(0), two));
    expect(first).toBe(0);
    expect(second).not.toBe(0);

    expect(routes.findRoute(progressOn(first))?.server).toBe(one);
    const routed = routes.findRoute(progressOn(second));
    expect(routed?.server).toBe(two);
    expect(routed?.notification.params).toEqual({ progressToken: 0, progress: 1 });
  });

  it('is dropped once the session has ended', () => {
    const routes = new ProgressTokenMap();
    const one = server();
    routes.enter(question('a'), one);
    routes.leave(one);
    expect(routes.findRoute(progressOn('a'))).toBeUndefined();
    expect(
      routes.findRoute(createNotification('notifications/roots/list_changed')),
    ).toBeUndefined();
  });
});
