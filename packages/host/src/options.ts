import type { Dispatcher as FetchDispatcher } from 'undici';
import type { AdminOptions } from './admin/admin.ts';
import type { Limits } from './limits.ts';
import type { Ledger } from './cell/ledger.ts';
import type { Custodian } from './custodian.ts';
import type { Dispatcher } from './dispatcher/dispatcher.ts';
import type { FetchOptions } from './fetch/fetch-rules.ts';
import type { FilesOptions } from './dispatcher/files.ts';
import type { NotFoundResponder } from './dispatcher/not-found.ts';
import type { Realm } from './dispatcher/realms.ts';
import type { ServletsRootOptions } from './dispatcher/servlets-root.ts';
import type { ServletResponder } from './http/servlet-responder.ts';
import type { LogFormat, LogFormatter } from './log/log-format.ts';
import type { LogTarget } from './log/request-log.ts';

/** What a thread is given to: one connection's request at a time, one instance, or the whole servlet. */
export type Unit = 'connection' | 'instance' | 'servlet';

/**
 * Which walls stand around a servlet: `trusted` is capped and timed; `guest` has Node's permission model and walls within
 * its thread besides; `jail` has namespaces, a user and a filter of system calls of its own as well, where the machine has them.
 */
export type Profile = 'trusted' | 'guest' | 'jail';

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
  /** The profile to have where `jail` can't be had; without it the host does not start then. */
  weakerProfile?: Profile;
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
  /** What a guest's `fetch` may reach, by way of the host. Default: nothing. A trusted servlet has the network itself. */
  fetch?: FetchOptions;
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
  /** A servlet file, a directory of them, or a list of files and options. Default: none. */
  servlets?: string | URL | readonly (string | URL | ServletOptions)[];
  /** Where the only servlet is mounted, and what `open` opens. Racket: `#:servlet-path`. */
  servletPath?: string;
  /** The only servlet's {@link ServletOptions.regexp}: `''` is everything. Racket: `#:servlet-regexp`. */
  servletRegexp?: RegExp | string;
  /** Default 0: any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Several ports of one host. Racket: `serve/ports`. */
  ports?: readonly number[];
  /** Several hosts, each with its ports. Racket: `serve/ips+ports`. */
  ipsAndPorts?: readonly (readonly [host: string, ports: readonly number[]])[];
  /**
   * HTTPS on all listeners. The certificate and its key are those of `sslCert` and `sslKey`, which may be given alone; else
   * `server-cert.pem` and `private-key.pem` of `serverRootPath`, or of the current directory.
   */
  ssl?: boolean;
  /** PEM files, both or none. They are read again when they change: connections go on with what they began with. */
  sslCert?: string | URL;
  sslKey?: string | URL;
  /** Every connection ends after its first request. Racket: `#:connection-close?`. */
  connectionClose?: boolean;

  /**
   * Who answers, in this order, in the place of the chain that the following options make. Constructors are in
   * `dispatchers`; what all of them pass gets 404.
   */
  dispatchers?: readonly Dispatcher[];
  /**
   * Directory of which is used what is there: `htdocs` (files), `conf/not-found.html`, `mime.types`, and for `ssl` the
   * certificate and its key. Default: none.
   */
  serverRootPath?: string | URL;
  /** Directories of files, tried in order after the servlets and before `htdocs`. */
  extraFilesPaths?: readonly (string | URL | FilesOptions)[];
  /** Directory of servlets that are loaded when they are asked for, with whatever follows the file in the path. As guests, unless told otherwise. */
  servletsRoot?: string | URL | ServletsRootOptions;
  /** Who may see which paths: a file, or the list of realms. */
  passwords?: string | URL | readonly Realm[];
  /** `/conf/refresh-servlets` and its kind, for this machine alone. Default: if there is a `servletsRoot` or `passwords`. */
  refresh?: boolean;
  /** `/quit` ends the host, for this machine alone. */
  quit?: boolean;
  /** Media types by endings, for all files, in the place of the usual ones. */
  mimeTypesPath?: string | URL;
  /** A page of HTML, or what makes the answer, for what is not found. Default: the tutorial's page. */
  fileNotFoundResponder?: string | URL | NotFoundResponder;
  /** What to show where a servlet can't be loaded, in the place of the host's page; null: that page. */
  servletLoadingResponder?: ServletResponder;
  /** The same where a servlet failed, or was stopped. */
  servletResponder?: ServletResponder;

  /** Opens the browser when the host listens. */
  open?: boolean;
  /** Says on the standard output where the host runs, and when it has stopped. */
  banner?: boolean;
  /** `false` turns `open`, `quit` and `banner` on, as Racket's `serve/servlet` does; here they are off by default. */
  commandLine?: boolean;

  /** Defaults for all servlets; a servlet's own options go before. */
  unit?: Unit;
  profile?: Profile;
  /** The profile to have where `jail` can't be had; without it the host does not start then. */
  weakerProfile?: Profile;
  limits?: Partial<Limits>;
  continuations?: ContinuationOptions;
  fetch?: FetchOptions;
  /** What makes the guests' fetches, in the place of connections of the host's own: undici's `MockAgent` in tests. It looks at no address. */
  fetchDispatcher?: FetchDispatcher;
  /**
   * Empty cells kept booted, so that a new or a replaced cell costs no wait. One that waits for half a second is warmed up: it
   * takes 140 to 170 MB until a servlet takes it, and about a second of CPU time once. Default 1.
   */
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
  /**
   * Writes a line for each request besides: to a file, which is opened anew when it is rotated away; a descriptor; or
   * something with a `write(line)`.
   */
  logFile?: LogTarget;
  /** Of these lines: the name of a format, or a function of request and response. Default `apache-default`. */
  logFormat?: LogFormat | LogFormatter;
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
  /** Those of them that are ready and have nothing to do. */
  idleThreads: number;
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
  /**
   * Gives that servlet other limits while the host runs, and returns those that count: its own `limits` still tighten them.
   * Running threads are held to a new cap of memory at once, and to new times from their next request on. `tempMb` and `loadCpuMs` count for threads that start
   * from now on, `fetchesMaxCount` if the servlet has not fetched yet. A restart forgets it.
   * @throws RangeError when there is no such servlet, or a value is no limit; TypeError for a limit that no servlet has
   * @see Racket `custodian-limit-memory`
   */
  adjust(servlet: string, limits: Partial<Limits>): Limits;
  /** Resolves when the host is closed, by whomever. */
  readonly closed: Promise<void>;
  /** Ends one cell by the operator's will; its servlets get a fresh one. */
  killCell(pid: number): Promise<void>;
  /**
   * Stops. Without grace all connections are closed at once. With it, listeners close, running requests get so many
   * ms to finish; a second call ends the wait.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}
