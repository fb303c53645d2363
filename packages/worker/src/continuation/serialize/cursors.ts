import { types } from 'node:util';
import { ArrayCursor, cursorAt, IteratorCursor, KeyCursor, type View } from '../cursor.ts';
import { ArrayElements } from '../elements.ts';
import { Disposal, Resource } from '../resources.ts';
import type { Codec } from './codec.ts';
import type { GraphReader } from './graph-reader.ts';
import { ownValue } from './properties.ts';
import { Refusal } from './refusal.ts';
import { Node } from './tags.ts';

const VIEWS: readonly View[] = ['values', 'keys', 'entries'];

const ARRAY = 0,
  PLACE = 1,
  KEYS = 2,
  ELEMENTS = 3,
  RESOURCE = 4,
  DISPOSAL = 5;

/** What loops and destructurings are in the middle of: the collection, and where; and what `using` will dispose of. */
const cursorCodec: Codec = {
  tag: Node.Cursor,
  nests: true,
  make: (out, node) => {
    out.at = '[[Iterated]]';
    if (node instanceof ArrayCursor) {
      out.bytes.u8(ARRAY);
      out.bytes.u8(VIEWS.indexOf(node.view));
      out.write(node.items);
    } else if (node instanceof KeyCursor) {
      out.bytes.u8(KEYS);
      out.write(node.object);
      out.write(node.keys);
    } else if (node instanceof ArrayElements) {
      out.bytes.u8(ELEMENTS);
      out.write(node.items);
    } else if (node instanceof Resource) {
      out.bytes.u8(RESOURCE);
      out.bytes.u8(node.isAsync ? 1 : 0);
      out.write(node.value);
      out.write(node.older);
    } else if (node instanceof Disposal) {
      out.bytes.u8(DISPOSAL);
      out.bytes.u8(node.hasError ? 1 : 0);
      out.write(node.error);
      out.write(node.list);
    } else {
      const place = (node as IteratorCursor).place;
      if (place === null)
        throw new Refusal(
          node,
          'is a loop over an iterator or a generator, whose state nobody can read: loop over an array, a Map, a Set or a string',
        );
      out.bytes.u8(PLACE);
      out.bytes.u8(VIEWS.indexOf(place.view));
      out.bytes.varint(place.position);
      out.bytes.varint(place.index);
      out.write(place.iterable);
    }
  },
  remake: (from) => {
    switch (from.bytes.u8()) {
      case ARRAY: {
        const view = viewFrom(from);
        return new ArrayCursor(arrayFrom(from), view);
      }
      case PLACE: {
        const view = viewFrom(from),
          position = from.bytes.varint(),
          index = from.bytes.varint(),
          iterable = from.read();
        if (!isCollection(iterable)) throw from.bad('a loop has nothing to iterate');
        return cursorAt(iterable, view, { position, index });
      }
      case KEYS: {
        const object = from.read();
        if (typeof object !== 'object' && typeof object !== 'function') throw from.bad('a loop has no object');
        const keys = arrayFrom(from);
        from.finally(() => {
          if (!areKeys(keys)) throw from.bad('a loop has keys that are none');
        });
        return new KeyCursor(object, keys as string[]);
      }
      case ELEMENTS:
        return new ArrayElements(arrayFrom(from));
      case RESOURCE: {
        const isAsync = from.bytes.u8() === 1,
          value = from.read();
        return new Resource(value, isAsync, resourceFrom(from));
      }
      case DISPOSAL: {
        const hasError = from.bytes.u8() === 1,
          error = from.read();
        return new Disposal(resourceFrom(from), hasError, error);
      }
      default:
        throw from.bad('there is no such loop');
    }
  },
};

/** Nothing but strings, without a getter among them. */
function areKeys(keys: readonly unknown[]): boolean {
  if (Object.keys(keys).length !== keys.length) return false;
  for (let i = 0; i < keys.length; i++) if (typeof ownValue(keys, i) !== 'string') return false;
  return true;
}

function isCollection(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    Array.isArray(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isTypedArray(value)
  );
}

function resourceFrom(from: GraphReader): Resource | null {
  const resource = from.read();
  if (resource !== null && !(resource instanceof Resource)) throw from.bad('a resource is expected');
  return resource;
}
function viewFrom(from: GraphReader): View {
  const view = VIEWS[from.bytes.u8()];
  if (view === undefined) throw from.bad('there is no such view of a collection');
  return view;
}
function arrayFrom(from: GraphReader): unknown[] {
  const items = from.read();
  if (!Array.isArray(items)) throw from.bad('an array is expected');
  return items;
}

export const isCursor = (value: object): boolean =>
  value instanceof ArrayCursor ||
  value instanceof IteratorCursor ||
  value instanceof KeyCursor ||
  value instanceof Resource ||
  value instanceof Disposal ||
  value instanceof ArrayElements;
export const cursorCodecs: readonly Codec[] = [cursorCodec];
