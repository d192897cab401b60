import type { LoginPrompts, SignInCode } from '../../../src/aws/sso/prompts.ts';

/** Somebody who signs in as soon as a page is shown, by a browser that follows redirects. */
export class ScriptedPerson implements LoginPrompts {
  readonly pages: string[] = [];
  readonly codes: SignInCode[] = [];
  readonly sentences: string[] = [];
  /** What the browser ended up with. */
  answer: Promise<{ readonly status: number; readonly text: string }> | undefined;
  readonly #browse: (url: string) => Promise<Response> | boolean;

  /** @param browse Other than to go to the page; false where no browser can be shown. */
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
