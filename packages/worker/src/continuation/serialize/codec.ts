import type { GraphReader } from './graph-reader.ts';
import type { GraphWriter } from './graph-writer.ts';

/** How nodes of one kind are written and read. Order and number of what is read are those of what is written. */
export interface Codec<Value extends object = any> {
  /** The node's first byte. */
  readonly tag: number;
  /** `make` writes other nodes, which must be there before this one. */
  readonly nests?: true;
  /** Writes what must be known before the node can exist. May leave something for `fill` in `out.state`. */
  make?(out: GraphWriter, node: Value): void;
  /** Writes what is inside. Without it, nothing is. */
  fill?(out: GraphWriter, node: Value, state: unknown): void;
  /** May leave something for `refill` in `from.state`. */
  remake(from: GraphReader): Value;
  refill?(from: GraphReader, node: Value, state: unknown): void;
}
