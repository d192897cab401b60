import type { HttpExchange } from '../../answers/http-exchange.ts';
import type { Answer } from '../../answers/platform-error.ts';
import type { AwsService } from '../service.ts';
import type { DeviceAuthorization } from './device-authorizations.ts';
import { html } from './html.ts';
import type { IdentityCenter } from './identity-center.ts';
import {
  createDecisionForm,
  createErrorPageResponse,
  createPageResponse,
  isCrossSite,
  readDecision,
} from './page.ts';

/** `/start` is the default start URL. */
const PATHS = ['/device', '/start'];

const MAX_DEVICE_BODY_BYTES = 100_000;

/** The page for a user to enter, check and confirm a device's user code. */
export class DevicePage implements AwsService {
  readonly #center: IdentityCenter;

  constructor(center: IdentityCenter) {
    this.#center = center;
  }

  claims({ path, request: { method } }: HttpExchange): boolean {
    return PATHS.includes(path) && (method === 'GET' || method === 'POST');
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const body = await exchange.readBody(MAX_DEVICE_BODY_BYTES);
    if (body === 'disconnected') return;
    const posted = exchange.request.method === 'POST';
    if (body === 'too-large' || (posted && isCrossSite(exchange))) {
      const title = 'This sign-in cannot go on';
      exchange.answer(createErrorPageResponse(title, 'The form came from another page.', 403));
      return;
    }
    const form = new URLSearchParams(posted ? body.bytes.toString('utf8') : exchange.query);
    const userCode = form.get('user_code');
    if (userCode === null) {
      exchange.answer(createEntryPageResponse());
      return;
    }
    const device = this.#center.devices.find(userCode);
    if (!device) {
      exchange.answer(
        createEntryPageResponse('No device waits with this code. It may have expired.'),
      );
      return;
    }
    const isDecision = posted && form.has('decision');
    exchange.answer(isDecision ? this.#decide(device, form) : this.#confirmation(device));
  }

  #decide(device: DeviceAuthorization, form: URLSearchParams): Answer {
    const decision = readDecision(this.#center.config, form);
    if (!decision) return this.#confirmation(device, 'Choose who signs in.');
    this.#center.devices.decide(device, decision);
    const name = html`<strong>${device.client.name}</strong>`;
    return decision === 'denied'
      ? createPageResponse({ title: 'Access denied', body: html`<p>${name} gets no access.</p>` })
      : createPageResponse({
          title: 'Access allowed',
          body: html`<p>${name} has access as ${decision.user}. You may close this page.</p>`,
        });
  }

  #confirmation({ client, userCode }: DeviceAuthorization, mistake?: string): Answer {
    return createPageResponse({
      title: 'Is this the code that you see?',
      status: mistake === undefined ? 200 : 400,
      body: html`${createAlert(mistake)}<p><code>${userCode}</code></p>
<p><strong>${client.name}</strong> asks for ${client.scopes.join(', ')}. Deny it if it shows you another code, or none.</p>
${createDecisionForm(this.#center.config, '/device', { user_code: userCode })}`,
    });
  }
}

/** The form uses POST to keep the code out of URLs and the browser history. */
function createEntryPageResponse(mistake?: string): Answer {
  return createPageResponse({
    title: 'Enter the code of your device',
    status: mistake === undefined ? 200 : 400,
    body: html`${createAlert(mistake)}<form method="post" action="/device">
<label for="user-code">Code</label>
<input id="user-code" name="user_code" required autofocus autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20" placeholder="ABCD-EFGH">
<button>Continue</button>
</form>`,
  });
}

function createAlert(mistake: string | undefined) {
  return mistake === undefined ? undefined : html`<p role="alert">${mistake}</p>\n`;
}
