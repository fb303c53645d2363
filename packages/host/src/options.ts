import type { AdminOptions } from './admin/admin.ts';
import type { Limits } from './limits.ts';
import type { Ledger } from './cell/ledger.ts';
import type { Custodian } from './custodian.ts';

/** What a thread is given to: one connection's request at a time, one instance, or the whole servlet. */
export type Unit = 'connection' | 'instance' | 'servlet';

/** Which walls stand around a servlet: `trusted` is capped and timed; `guest` has Node's permission model besides. */
export type Profile = 'trusted' | 'guest';

/** One servlet and how it is held. */
export interface ServletOptions {
  /** Path of the servlet's module, or its `file:` URL. */
  file: string | URL;
  /** Where it is mounted: `hello` or `shop/cart`. Default: the file's name without its ending. */
  mount?: string;
  /**
   * It answers at every path in which this finds something, in the place of a mount, and after those: the decoded path, without
   * parameters and query, so that a continuation's URL matches as its servlet's does. Racket: `#:servlet-regexp`.
   */
  regexp?: RegExp | string;
  unit?: Unit;
  /** Who shares a process: the servlet's threads (default), nobody at all, or every servlet that names the same group. */
  cell?: 'servlet' | 'instance' | (string & {});
  profile?: Profile;
  limits?: Partial<Limits>;
  /** Threads kept ready beside the busy ones. Default 1. */
  spareThreads?: number;
  /**
   * Each of its pages holds the rest of its run in itself, so that it outlives thread, process and machine; the servlet's module may
   * say so too: `export const stateless = true`. Default `false`.
   */
  stateless?: boolean;
  /** Its instances are saved at each page, where they can be, and go on in another thread. Default `false`. */
  checkpoint?: boolean;
  /** Load it when the host starts, not when it is first asked for. Default `false`. */
  isEager?: boolean;
  /**
   * A path of an eager servlet that is asked for now and then, where there is an operator's listener: `/readyz` tells
   * whether it answers. Default: its mount. `false`: it is not asked.
   */
  canary?: string | false;
  continuations?: ContinuationOptions;
}

/** What belongs to a servlet's continuations. */
export interface ContinuationOptions {
  /**
   * npm packages that are compiled as the servlet's own modules are, since they call back into code that suspends. ES modules only.
   * @example { transform: ['some-forms'] }
   */
  transform?: readonly string[];
}

export interface ListenAddress {
  /** Default 127.0.0.1. */
  host?: string;
  /** 0: any free port. */
  port: number;
}

export interface ServeOptions {
  /** A servlet file, a directory of them, or a list of files and options. */
  servlets: string | URL | readonly (string | URL | ServletOptions)[];
  /** Default 0: any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Several ports of one host. Racket: `serve/ports`. */
  ports?: readonly number[];
  /** Several hosts, each with its ports. Racket: `serve/ips+ports`. */
  ipsAndPorts?: readonly (readonly [host: string, ports: readonly number[]])[];
  /** Defaults for all servlets; a servlet's own options go before. */
  unit?: Unit;
  profile?: Profile;
  limits?: Partial<Limits>;
  continuations?: ContinuationOptions;
  /** Empty cells kept booted, so that a new or a replaced cell costs no wait. Default 1. */
  warmCells?: number;
  /** Error pages with causes, stacks and settings. Default: `NODE_ENV` is not `production`. */
  isDevelopment?: boolean;
  /**
   * `false` (default for an embedded host): nothing is logged. `events`: deaths, servlet output and errors.
   * `requests`: a line for each request too.
   */
  log?: false | 'events' | 'requests';
  /** Where log lines go: a file descriptor or path. Default 1, the standard output. */
  logDestination?: number | string;
  /**
   * Where stateless servlets keep what is too long for a URL: `memory`, `sqlite` (default, in the state directory),
   * `sqlite:FILE`, `directory`, `directory:PATH`, `redis://…`, `rediss://…` or `postgres://…`. Replicas share one.
   */
  store?: string;
  /**
   * File of the keys that seal continuations; made when there is none. Default: `keys` in the state directory. The
   * environment variable `CUSTODIAN_KEYS` goes before it. Replicas share one ring.
   */
  keyFile?: string;
  /** Directory for what outlives a cell (compile cache). Default: `.custodian-UID` in the system's temp directory. */
  stateDir?: string;
  /** The operator's page, metrics and health, on a listener of their own. Default `false`; `true`: on any free port of 127.0.0.1. */
  admin?: boolean | AdminOptions;
}

/** A servlet as the host runs it. */
export interface ServletStatus {
  name: string;
  url: string;
  file: string;
  unit: Unit;
  cell: string;
  profile: Profile;
  limits: Readonly<Limits>;
  state: 'idle' | 'starting' | 'ready' | 'benched';
  /** Why it is benched: the error of its last load. */
  error: string | null;
  threads: number;
  queued: number;
  /** What its threads hold for visitors who may come back, and about how many bytes that takes. */
  continuations: number;
  continuationBytes: number;
}

/** A running host. Closing it closes everything that it holds. */
export interface Host extends AsyncDisposable {
  /** Of the first listener, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly addresses: readonly { host: string; port: number; url: string }[];
  readonly servlets: readonly ServletStatus[];
  /** The operator's page, its token in it; `null` without one. */
  readonly adminUrl: string | null;
  readonly ledger: Ledger;
  /** The root of all that the host holds. */
  readonly custodian: Custodian;
  /** Resolves when the spare cells are booted and every eager servlet is loaded, or benched because it can't be. */
  ready(): Promise<void>;
  /**
   * Has what begins from now on load that servlet's file anew; what runs, and the pages that visitors have open, stay with
   * the code that they began in. @throws RangeError when there is no such servlet
   */
  reload(servlet: string): void;
  /** Ends one cell by the operator's will; its servlets get a fresh one. */
  killCell(pid: number): Promise<void>;
  /**
   * Stops. Without grace all connections are closed at once. With it, listeners close, running requests get so many
   * ms to finish; a second call ends the wait.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}
