import { type ContinuationToken, readToken, withoutToken, withoutVersion } from '@custodian/protocol';
import { Checkpoints } from '../checkpoint/checkpoints.ts';
import type { Reply } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';
import { type ExpirationHandler, isSavingManager } from '../manager/manager.ts';
import type { ContinuationManager } from '../manager/manager.ts';
import type { CodeChangedError } from '../continuation/serialize/errors.ts';
import { toOldVersion } from '../version/versions.ts';
import { createSeal, LIFETIME_MS } from '../stuffer/seal-stuffer.ts';
import type { InstanceAddress, RequestContext } from './context.ts';
import { type ContinuationPlace, ContinuationServlet } from './continuation-servlet.ts';
import { baseOf, type Captured, type Visit } from './instance.ts';
import { noteWrite } from './late-writes.ts';
import { ServletLoadError } from './load.ts';
import './saved-library.ts';
import type { Servlet } from './servlet.ts';
import {
  changedPage,
  isUnavailable,
  oldModulePage,
  supersededPage,
  unavailablePage,
  unsavedPage,
} from './visitor-pages.ts';

/**
 * A servlet whose instances outlive their thread: what each one has is saved with every answer, before that goes out. The next request
 * for an instance whose thread is gone makes it again in another one. Its URLs stay what they were.
 */
export class CheckpointedServlet extends ContinuationServlet {
  readonly #checkpoints: Checkpoints;
  readonly #isDevelopment: boolean;

  /** @throws ServletLoadError for a manager of the author's own that can't be saved */
  constructor(servlet: Servlet, manager: ContinuationManager, place: ContinuationPlace & { isDevelopment: boolean }) {
    super(servlet, manager, place);
    if (!isSavingManager(manager))
      throw new ServletLoadError(
        `Cannot load servlet "${place.name}": its manager has no "save" and "revive", which checkpoints need`,
      );
    const lifetimeMs = servlet.sealing?.lifetimeMs ?? LIFETIME_MS;
    this.#checkpoints = new Checkpoints({ manager, place: place.place, seal: createSeal(lifetimeMs), lifetimeMs });
    this.#isDevelopment = place.isDevelopment;
  }

  get unsavedCount(): number {
    return this.#checkpoints.unsavedCount;
  }

  /** Called when that may have changed. */
  set onChange(changed: () => void) {
    this.#checkpoints.onChange = changed;
  }

  override async handle(request: ServletRequest): Promise<Reply> {
    try {
      const token = readToken(request.url);
      const changed = token === null ? null : await this.#takeUp(token);
      if (changed !== null) {
        const elsewhere = await toOldVersion(request, changed);
        return await this.start(request, () => elsewhere ?? changedPage(this.#startUrl(request)));
      }
      return await super.handle(request);
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code;
      if (isUnavailable(code)) return this.start(request, () => unavailablePage(code));
      if (code === 'STORE_CONFLICT') return this.start(request, supersededPage);
      if (code === 'SERVLET_OLD_MODULE') {
        console.warn((error as Error).message);
        return this.start(request, () => oldModulePage(this.#startUrl(request)));
      }
      throw error;
    }
  }

  override addressOf(instance: number): InstanceAddress {
    return this.#checkpoints.addressOf(instance);
  }

  override keep(captured: Captured, visit: Visit | null): string {
    const url = super.keep(captured, visit);
    const { context } = captured;
    // By a page that is still being sent when its run has been saved.
    if (context.isAnswered) noteWrite(context, this.#checkpoints.save(context.instance));
    return url;
  }

  protected override instanceOf(address: InstanceAddress): number | null {
    return this.#checkpoints.instanceOf(address);
  }

  protected override expired(token: ContinuationToken, handler: ExpirationHandler | null): ExpirationHandler | null {
    const why = this.#checkpoints.lossOf(token);
    if (why === null || handler !== null) return handler;
    return (request) => unsavedPage(this.#startUrl(request), this.#isDevelopment ? why : null);
  }

  protected override settle({ instance }: RequestContext): Promise<void> | null {
    return instance === 0 ? null : this.#checkpoints.save(instance);
  }

  /** Makes the instance again, if it was saved. @returns an error when it needs code that has changed */
  async #takeUp(token: ContinuationToken): Promise<CodeChangedError | null> {
    try {
      await this.#checkpoints.revive(token);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'SERVLET_PROGRAM_CHANGED') return error as CodeChangedError;
      if (code !== 'SERVLET_BAD_LINK' && code !== 'SERVLET_BAD_CONTINUATION') throw error;
      // Its keys are gone, or it was written by another version of the library: the page has expired.
      console.warn(error);
    }
    return null;
  }

  #startUrl(request: ServletRequest): string {
    return this.startUrl ?? withoutVersion(withoutToken(baseOf(request)));
  }
}
