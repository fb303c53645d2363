import type { BrowserContext, Page } from 'playwright-core';

/** A window of the browser, in the words of its visitor. */
export class Window {
  readonly page: Page;
  readonly #context: BrowserContext;
  constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
  }
  static async open(context: BrowserContext, url: string): Promise<Window> {
    const page = await context.newPage();
    await page.goto(url);
    return new Window(context, page);
  }
  /** What Duplicate does: the same address, with its own history. */
  duplicate(): Promise<Window> {
    return Window.open(this.#context, this.page.url());
  }
  text(): Promise<string> {
    return this.page.innerText('body');
  }
  /** Fills in the form's fields, by name, and sends it. */
  async send(fields: Readonly<Record<string, string>> = {}): Promise<void> {
    for (const [name, value] of Object.entries(fields)) await this.page.fill(`input[name=${name}]`, value);
    await this.press('input[type=submit]');
  }
  /** Chooses a radio button or a checkbox. */
  check(value: string): Promise<void> {
    return this.page.check(`input[value="${value}"]`);
  }
  async press(selector: string): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), this.page.click(selector)]);
  }
  async back(): Promise<void> {
    await this.page.goBack();
  }
  async forward(): Promise<void> {
    await this.page.goForward();
  }
  async refresh(): Promise<void> {
    await this.page.reload();
  }
}
