import { connect, createServer, type Server, type Socket } from 'node:net';

/** What goes through a {@link StoreTap}: something that a host asks of its store, or what that answers. */
export type TapEvent = 'asked' | 'answered';

/** Stands between a host and its database, and lets a test do something before a piece of their talk goes on. */
export class StoreTap implements AsyncDisposable {
  readonly port: number;
  /** Called for each piece, which goes on when it has resolved, unless it says that it is lost; null: for none. */
  onEvent: ((event: TapEvent, piece: Buffer) => Promise<'lost' | void>) | null = null;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
  }

  static async start(target: number): Promise<StoreTap> {
    let tap: StoreTap | null = null;
    const server = createServer((host) => tap?.connected(host, connect(target, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (tap = new StoreTap(server));
  }

  connected(host: Socket, store: Socket): void {
    for (const [socket, other, event] of [
      [host, store, 'asked'],
      [store, host, 'answered'],
    ] as const) {
      let turn = Promise.resolve();
      this.#sockets.add(socket);
      socket.on('data', (piece: Buffer) => {
        turn = turn.then(async () => {
          if ((await this.onEvent?.(event, piece)) !== 'lost') other.write(piece);
        });
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
