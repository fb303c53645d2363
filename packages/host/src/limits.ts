/** Every limit of the host in one table: unit in the name, default, scope, what happens there, and the code that says so. */

export interface LimitRow {
  default: number;
  scope: 'host' | 'servlet' | 'connection' | 'request';
  /** HTTP status of the answer at the limit; 0 when the connection is cut or the client waits. */
  status: number;
  /** Error code, explained in docs/errors.md. */
  code: string;
  /** What happens at the limit, and why the default is what it is. */
  what: string;
}

const MB = 1024 * 1024;

/** All limits. */
export type LimitName =
  | 'connectionsMaxCount'
  | 'backlogMaxCount'
  | 'memoryMb'
  | 'bufferedBodiesMb'
  | 'fileCacheMb'
  | 'headTimeoutMs'
  | 'keepAliveTimeoutMs'
  | 'bodyTimeoutMs'
  | 'requestLineMaxBytes'
  | 'headersMaxCount'
  | 'headerMaxBytes'
  | 'headMaxBytes'
  | 'bodyMaxBytes'
  | 'formFieldsMaxCount'
  | 'formFilesMaxCount'
  | 'formPartsMaxCount'
  | 'formFieldMaxBytes'
  | 'formFileMaxBytes'
  | 'formFileMemoryMaxBytes'
  | 'formPartHeadMaxBytes'
  | 'spoolMaxBytes'
  | 'rangesMaxCount'
  | 'queueMaxCount'
  | 'queueTimeoutMs'
  | 'threadsMaxCount'
  | 'heapMb'
  | 'rssMb'
  | 'cpuMs'
  | 'wallMs'
  | 'cellIdleTimeoutMs'
  | 'loadTimeoutMs'
  | 'loadCpuMs'
  | 'tempMb'
  | 'sendTimeoutMs'
  | 'logMaxBytesPerSecond'
  | 'logMb'
  | 'oldVersionMs'
  | 'storeMb'
  | 'fileBoxMb'
  | 'fetchesMaxCount'
  | 'fetchTimeoutMs'
  | 'fetchMaxBytes';

export const LIMITS: Readonly<Record<LimitName, LimitRow>> = {
  // The host and its listeners.
  connectionsMaxCount: row(
    10_000,
    'host',
    503,
    'LIMIT_CONNECTIONS',
    'Further clients are turned away at once; but a client with more than half of them makes room for another. Racket: max-concurrent.',
  ),
  backlogMaxCount: row(
    511,
    'host',
    0,
    'LIMIT_BACKLOG',
    'Connections that the kernel keeps waiting. Racket: max-waiting.',
  ),
  memoryMb: row(
    0,
    'host',
    503,
    'LIMIT_HOST_MEMORY',
    'Budget of all cells together; 0: three quarters of the machine. A cell that does not fit waits.',
  ),
  bufferedBodiesMb: row(
    256,
    'host',
    503,
    'LIMIT_BUFFERED_BODIES',
    'Bodies that wait for a thread, of all clients together. Each may be 256 KB, and there may be 10,000 of them.',
  ),
  fileCacheMb: row(
    16,
    'host',
    0,
    'LIMIT_FILE_CACHE',
    'Small static files kept in memory; beyond it those go that were asked for longest ago. 0: none.',
  ),
  // Reading a request.
  headTimeoutMs: row(
    10_000,
    'connection',
    408,
    'LIMIT_HEAD_TIMEOUT',
    "From the connection, or a request's first byte, to the end of its head. The tutorial's silent client: 10 s.",
  ),
  keepAliveTimeoutMs: row(
    60_000,
    'connection',
    0,
    'LIMIT_KEEP_ALIVE',
    'Between requests; then the connection is closed quietly, as every server does.',
  ),
  bodyTimeoutMs: row(
    60_000,
    'connection',
    408,
    'LIMIT_BODY_TIMEOUT',
    "Between two pieces of a request's body, while the servlet wants more. Racket: request-read-timeout.",
  ),
  requestLineMaxBytes: row(
    8192,
    'connection',
    414,
    'LIMIT_REQUEST_LINE',
    'The request target. Racket: max-request-line-length.',
  ),
  headersMaxCount: row(100, 'connection', 431, 'LIMIT_HEADERS_COUNT', 'Header lines. Racket: max-request-headers.'),
  headerMaxBytes: row(8192, 'connection', 431, 'LIMIT_HEADER', 'One header line. Racket: max-request-header-length.'),
  headMaxBytes: row(64 * 1024, 'connection', 431, 'LIMIT_HEAD', 'Request line and headers together.'),
  bodyMaxBytes: row(
    MB,
    'servlet',
    413,
    'LIMIT_BODY',
    "One request's body, unless it is a multipart form that is read in advance. Racket: max-request-body-length.",
  ),
  // Reading a multipart form.
  formFieldsMaxCount: row(
    100,
    'servlet',
    413,
    'LIMIT_FORM_FIELDS',
    'Fields of one multipart form that are no files. Racket: max-form-data-fields.',
  ),
  formFilesMaxCount: row(
    100,
    'servlet',
    413,
    'LIMIT_FORM_FILES',
    'Files of one multipart form. Racket: max-form-data-files.',
  ),
  formPartsMaxCount: row(
    200,
    'servlet',
    413,
    'LIMIT_FORM_PARTS',
    'Fields and files of one multipart form together. Racket: max-form-data-parts.',
  ),
  formFieldMaxBytes: row(
    8 * 1024,
    'servlet',
    413,
    'LIMIT_FORM_FIELD',
    'One field of a multipart form. Racket: max-form-data-field-length.',
  ),
  formFileMaxBytes: row(
    10 * MB,
    'servlet',
    413,
    'LIMIT_FORM_FILE',
    'One file of a multipart form. Racket: max-form-data-file-length.',
  ),
  formFileMemoryMaxBytes: row(
    MB,
    'servlet',
    0,
    'LIMIT_FORM_FILE_MEMORY',
    "What the files of one form hold of the acceptor's memory; with more they go to a temporary file. Racket: form-data-file-memory-threshold.",
  ),
  formPartHeadMaxBytes: row(
    8 * 1024,
    'servlet',
    413,
    'LIMIT_FORM_PART_HEAD',
    'The headers of one part of a multipart form. Racket: max-form-data-header-length.',
  ),
  spoolMaxBytes: row(
    4 * 1024 * MB,
    'host',
    503,
    'LIMIT_SPOOL',
    'Disk space of the files of all forms that are being answered.',
  ),
  rangesMaxCount: row(
    100,
    'request',
    0,
    'LIMIT_RANGES',
    'Parts of a file that one request asks for; with more it gets the whole file.',
  ),
  // Waiting for a thread.
  queueMaxCount: row(1000, 'servlet', 503, 'LIMIT_QUEUE', 'Requests that wait for a thread of the servlet.'),
  queueTimeoutMs: row(10_000, 'servlet', 503, 'LIMIT_QUEUE_TIMEOUT', 'How long one of them waits.'),
  threadsMaxCount: row(
    8,
    'servlet',
    503,
    'LIMIT_THREADS',
    'Threads that the servlet may have at once; with an instance each: its visitors.',
  ),
  // Running.
  heapMb: row(
    50,
    'request',
    503,
    'LIMIT_HEAP',
    "V8 heap and off-heap memory of the thread; the thread is ended. The tutorial's 50 MB.",
  ),
  rssMb: row(
    0,
    'servlet',
    503,
    'LIMIT_RSS',
    'Resident memory of the whole cell, which is killed; 0: derived from heapMb and threadsMaxCount.',
  ),
  cpuMs: row(5000, 'request', 504, 'LIMIT_CPU', 'CPU time of one request; the thread is ended.'),
  wallMs: row(
    10_000,
    'request',
    504,
    'LIMIT_WALL',
    "From a request's start to its response's first byte; the thread is ended. The tutorial's 10 s; Racket: response-timeout.",
  ),
  cellIdleTimeoutMs: row(
    300_000,
    'servlet',
    0,
    'LIMIT_CELL_IDLE',
    'Without a request; then the cell is closed, and the next request gets a new one. 0: never.',
  ),
  tempMb: row(
    64,
    'servlet',
    0,
    'LIMIT_TEMP',
    "Files of a guest's threads in the temporary directory of their cell; what would be over is not written.",
  ),
  loadTimeoutMs: row(30_000, 'servlet', 503, 'LIMIT_LOAD', 'From the start of a thread to its servlet being loaded.'),
  loadCpuMs: row(
    10_000,
    'servlet',
    503,
    'LIMIT_LOAD_CPU',
    'CPU time of a thread until its servlet is loaded, compilation included; the thread is ended.',
  ),
  // Sending a response.
  sendTimeoutMs: row(
    60_000,
    'connection',
    0,
    'LIMIT_SEND_TIMEOUT',
    'Without a byte of the response moving, to or from the client; the connection is cut. Racket: response-send-timeout.',
  ),
  logMaxBytesPerSecond: row(
    256 * 1024,
    'servlet',
    0,
    'LIMIT_LOG',
    'Output of a thread, 256 KB at the most; what is over is dropped and counted.',
  ),
  logMb: row(
    64,
    'servlet',
    0,
    'LIMIT_LOG_HOUR',
    "What a servlet's output and errors may add to the log in an hour, a quarter of it errors alone; what is over is dropped and counted. 0: none.",
  ),
  oldVersionMs: row(
    0,
    'servlet',
    410,
    'LIMIT_OLD_VERSION',
    'How long a servlet whose pages are saved is still run as it was before an edit, for pages of then. 0: not.',
  ),
  // Keeping what is too long for a URL.
  storeMb: row(
    64,
    'servlet',
    0,
    'LIMIT_STORE',
    'What the store keeps for a servlet: pages of a stateless one, instances of a checkpointed one; beyond it, those that were shown longest ago expire.',
  ),
  fileBoxMb: row(
    16,
    'servlet',
    0,
    'LIMIT_FILE_BOX',
    "What a servlet's file boxes hold together; setting one beyond it fails.",
  ),
  // Fetching for guests.
  fetchesMaxCount: row(
    16,
    'servlet',
    0,
    'LIMIT_FETCHES',
    'Fetches of a servlet that are under way at once; further ones wait, as far as 1,024 of them.',
  ),
  fetchTimeoutMs: row(
    30_000,
    'servlet',
    0,
    'LIMIT_FETCH_TIMEOUT',
    'From a fetch to the last byte of its answer, with the wait for its turn.',
  ),
  fetchMaxBytes: row(
    16 * MB,
    'servlet',
    0,
    'LIMIT_FETCH_BYTES',
    'The body that a fetch sends, and the one that it gets, as they are on the wire.',
  ),
};

export type Limits = { [name in LimitName]: number };

function row(value: number, scope: LimitRow['scope'], status: number, code: string, what: string): LimitRow {
  return { default: value, scope, status, code, what };
}

export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze(
  Object.fromEntries(Object.entries(LIMITS).map(([name, limit]) => [name, limit.default])) as Limits,
);

/** V8's own limit for a thread; and what is in no message to a cell, and no option of Node, as Infinity. */
const LARGEST: Partial<Limits> = { heapMb: 4096, tempMb: 1 << 20, headMaxBytes: 1 << 30 };
/** No timer goes further: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** What stands for no limit at all. */
function largest(name: LimitName): number {
  return LARGEST[name] ?? (name.endsWith('Ms') ? LONGEST_MS : Infinity);
}

/** The defaults with the given ones laid over; of Infinity, which is none, the largest that there can be. @throws TypeError for a name that is none, RangeError for a value that is no limit. */
export function resolveLimits(given: Partial<Limits> | undefined, base: Readonly<Limits> = DEFAULT_LIMITS): Limits {
  const limits: Limits = { ...base };
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(LIMITS, name)) throw new TypeError(`Cannot set limit "${name}": there is none of that name`);
    if (value === undefined) continue;
    if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
      throw new RangeError(`Cannot set limit "${name}": ${String(value)} is not a number from 0`);
    }
    limits[name as LimitName] = value === Infinity ? largest(name as LimitName) : value;
  }
  return limits;
}
