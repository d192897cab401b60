import type { LoginPrompts, SignInCode } from '../../../src/aws/sso/sso-session.ts';

/** A user who signs in as soon as a page is shown, with a browser that follows redirects. */
export class ScriptedPerson implements LoginPrompts {
  readonly pages: string[] = [];
  readonly codes: SignInCode[] = [];
  readonly sentences: string[] = [];
  /** The last page of the browser. */
  answer: Promise<{ readonly status: number; readonly text: string }> | undefined;
  readonly #browse: (url: string) => Promise<Response> | boolean;

  /** @param browse Replaces opening the page. It returns false if no browser can be shown. */
  constructor(browse: (url: string) => Promise<Response> | boolean = (url) => fetch(url)) {
    this.#browse = browse;
  }

  async openBrowser(url: string): Promise<boolean> {
    this.pages.push(url);
    const going = this.#browse(url);
    if (typeof going === 'boolean') return going;
    this.answer = going.then(async (response) => ({
      status: response.status,
      text: await response.text(),
    }));
    this.answer.catch(() => undefined);
    return true;
  }

  showCode(code: SignInCode): void {
    this.codes.push(code);
  }

  progress(sentence: string): void {
    this.sentences.push(sentence);
  }
}
