import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  type ResourceLimits,
  Worker,
} from 'node:worker_threads';
import type { CompiledAhead, ModulesToCompile } from './compiled-modules.ts';
import { newTask, TaskStat, taskNumbers } from './task-stat.ts';
import { WARM_UP_SERVLET } from './warm-up-servlet.ts';

/** Its thread strips a module of 2,000 lines in 5 ms. */
const STRIP_MAX_MS = 1000;
/** It compiles one in some 100 ms, in which the servlet's thread boots. */
const COMPILE_MAX_MS = 500;

/** What the thread of a {@link WarmUp} needs of the runtime. */
export interface WarmUpData {
  entry: string;
  protocol: string;
  sources: Record<string, string>;
  /** Where the compiler's own packages are, by name. */
  packages: Readonly<Record<string, string>>;
}

/** Where it runs. */
export interface WarmUpSite {
  /** The entry of the thread. */
  boot: URL;
  resourceLimits: ResourceLimits;
  /** The servlet that it compiles has an address in there, and no file. */
  directory: string;
  data: () => WarmUpData;
}

/**
 * What a process does before it has a servlet, so that its first one finds it done: a thread starts Node's stripper, boots, and
 * compiles a servlet of the host's own. It stays until the first servlet's modules are stripped and compiled, which it does
 * while that servlet's thread boots on another core. What Node has compiled of its own modules for one thread is there for the
 * next; and so is the memory that V8 has had from the system, which takes longer to get than to fill. The stripper takes 40 MB,
 * which go with the thread.
 */
export class WarmUp {
  readonly #site: WarmUpSite;
  /** Counts what the thread has said. */
  readonly #answers = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | null = null;
  /** To the thread, once it is warm, and until it compiles. */
  #port: MessagePort | null = null;
  #compiling: { order: ModulesToCompile; result: Promise<CompiledAhead[]> } | null = null;
  #stat: TaskStat | null = null;

  constructor(site: WarmUpSite) {
    this.#site = site;
  }

  /** Pages that its thread was given when it touched them. Null: there is none, or it can't be told. */
  faults(): number | null {
    return this.#stat?.faults() ?? null;
  }

  /** Only once, and only before there is a servlet. */
  begin(onWarm: () => void, onGone: () => void): void {
    const { boot, resourceLimits, directory, data } = this.#site;
    const { port1, port2 } = new MessageChannel();
    const servlet = { root: pathToFileURL(join(directory, '/')).href, text: WARM_UP_SERVLET };
    const tasks = taskNumbers();
    const worker = new Worker(boot, {
      workerData: { ...data(), servlet, port: port2, answers: this.#answers },
      transferList: [port2],
      env: {},
      resourceLimits,
    });
    this.#worker = worker;
    const task = newTask(tasks);
    this.#stat = task === null ? null : new TaskStat(task);
    port1.once('message', () => {
      if (this.#worker === null) return;
      this.#port = port1;
      onWarm();
    });
    // What fails here the servlet's own thread will meet, where its author can see it.
    worker.on('error', () => {});
    worker.once('exit', () => {
      this.#port = null;
      this.#stat?.close();
      this.#stat = null;
      port1.close();
      onGone();
    });
  }

  /** A module without its types: by the thread, if it is warm. @throws SyntaxError */
  strip(text: string): string {
    return this.#stripped(text) ?? stripTypeScriptTypes(text);
  }

  /** What the thread of a servlet would compile: by this one, if it is warm. What is missing it could not, or not in time. */
  async compile(order: ModulesToCompile): Promise<CompiledAhead[]> {
    // A servlet has more than one thread if many come at once.
    if (this.#compiling !== null) return areSame(order, this.#compiling.order) ? this.#compiling.result : [];
    const port = this.#port;
    if (port === null || order.modules.length === 0) return [];
    // Whoever had it strip a module now would wait until it is through.
    this.#port = null;
    const { promise, resolve } = Promise.withResolvers<CompiledAhead[]>();
    this.#compiling = { order, result: promise };
    const timer = setTimeout(resolve, COMPILE_MAX_MS, []);
    port.once('message', resolve);
    port.once('close', () => resolve([]));
    port.postMessage(order);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#compiling = null;
    }
  }

  /** A servlet comes. A thread that is not warm yet would only keep it from the processor. */
  onServlet(): void {
    if (this.#port === null) this.end();
  }

  /** The thread is needed no longer; if it compiles for another servlet, that one will say so. */
  end(): void {
    if (this.#compiling !== null) return;
    this.#port = null;
    void this.#worker?.terminate();
    this.#worker = null;
  }

  /** null: it is not warm, does not answer, or the text is wrong. */
  #stripped(text: string): string | null {
    if (this.#port === null) return null;
    const said = Atomics.load(this.#answers, 0);
    this.#port.postMessage(text);
    Atomics.wait(this.#answers, 0, said, STRIP_MAX_MS);
    const answer = receiveMessageOnPort(this.#port) as { message: string | null } | undefined;
    // Its answer to this text must not be taken for that to another.
    if (answer === undefined) this.end();
    return answer?.message ?? null;
  }
}

function areSame(a: ModulesToCompile, b: ModulesToCompile): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
