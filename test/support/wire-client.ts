import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface WireResponse {
  status: number;
  reason: string;
  /** The head as it came. */
  head: string;
  /** Values by lower-case name, in order. */
  headers: Map<string, string[]>;
  body: Buffer;
}

/** A client that sends exactly the bytes it is told to, and reads responses one by one. */
export class WireClient {
  readonly socket: Socket;
  /** When the last byte, or the end, came. */
  lastEventAt: number = performance.now();
  receivedBytes = 0;
  /** Put together only when somebody reads: a test may leave many MB lying here. */
  #pieces: Buffer[] = [];
  #isEnded = false;
  #error: Error | null = null;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      this.#pieces.push(chunk);
      this.#onEvent();
    });
    socket.on('end', () => this.#onEnd(null));
    socket.on('error', (error) => this.#onEnd(error));
    socket.on('close', () => this.#onEnd(null));
  }

  /** `localAddress`: whom the host takes it for. */
  static async connect(port: number, localAddress: string = '127.0.0.1'): Promise<WireClient> {
    // A client that half-closes must be able to read on.
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new WireClient(socket);
  }

  /** The server has closed its side, or reset the connection. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get error(): Error | null {
    return this.#error;
  }

  write(bytes: string | Uint8Array): void {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1');
    else this.socket.write(bytes);
  }

  /** Writes and waits until the kernel has it. `false`: the connection is gone. */
  send(bytes: string | Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (error?: Error | null): void => resolve(error == null);
      if (typeof bytes === 'string') this.socket.write(bytes, 'latin1', done);
      else this.socket.write(bytes, done);
    });
  }

  /** Closes its own side only. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** A GET over keep-alive. */
  async get(path: string): Promise<WireResponse> {
    this.write(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
    return this.response();
  }

  /** The next response; an interim one (1xx) counts. @throws when the connection ends first */
  async response(method = 'GET'): Promise<WireResponse> {
    const head = (await this.#until('\r\n\r\n')).toString('latin1');
    const [statusLine = '', ...lines] = head.trimEnd().split('\r\n');
    const match = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine);
    if (match === null) throw new Error(`what came is no response: ${JSON.stringify(head.slice(0, 200))}`);
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
    }
    const status = Number(match[1]);
    const body = await this.#body(status, method, headers);
    return { status, reason: match[2] ?? '', head, headers, body };
  }

  /** All that comes until the server closes. */
  async rest(): Promise<Buffer> {
    while (!this.#isEnded) await this.#event();
    return this.#take(this.#received.length);
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#isEnded) await this.#event();
  }

  async #body(status: number, method: string, headers: Map<string, string[]>): Promise<Buffer> {
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return Buffer.alloc(0);
    if (headers.get('transfer-encoding')?.[0] === 'chunked') {
      const pieces: Buffer[] = [];
      for (;;) {
        const size = Number.parseInt((await this.#until('\r\n')).toString('latin1'), 16);
        const piece = await this.#exactly(size + 2);
        if (size === 0) return Buffer.concat(pieces);
        pieces.push(piece.subarray(0, size));
      }
    }
    const length = headers.get('content-length')?.[0];
    return length === undefined ? this.rest() : this.#exactly(Number(length));
  }

  async #until(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.#received.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      await this.#more();
    }
  }

  async #exactly(bytes: number): Promise<Buffer> {
    while (this.#pieces.reduce((sum, piece) => sum + piece.length, 0) < bytes) await this.#more();
    return this.#take(bytes);
  }

  async #more(): Promise<void> {
    if (this.#isEnded) {
      throw new Error(`the connection ended after ${JSON.stringify(this.#received.toString('latin1').slice(0, 200))}`, {
        cause: this.#error,
      });
    }
    await this.#event();
  }

  #event(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  get #received(): Buffer {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] as Buffer;
  }

  #take(bytes: number): Buffer {
    const received = this.#received;
    this.#pieces = [received.subarray(bytes)];
    return received.subarray(0, bytes);
  }

  #onEnd(error: Error | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#onEvent();
  }

  #onEvent(): void {
    this.lastEventAt = performance.now();
    for (const wake of this.#wake.splice(0)) wake();
  }
}
