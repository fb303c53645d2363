import { BindingFrame, Frame } from '../frame.ts';
import { identities } from '../identity.ts';

/** Frames of the library: their kind, what they hold. */
export interface FrameKind<Kind extends Frame> {
  name: string;
  Class: new (...args: any[]) => Kind;
  values(frame: Kind): readonly unknown[];
  /** @returns null when no frame holds such values */
  make(values: readonly unknown[]): Kind | null;
}

const kinds: FrameKind<any>[] = [];
const prototypes: Set<unknown> = new Set<unknown>([Frame.prototype]);

export function registerFrameKind<Kind extends Frame>(kind: FrameKind<Kind>): void {
  kinds.push(kind);
  prototypes.add(kind.Class.prototype);
}

export function kindOf(frame: Frame): FrameKind<Frame> | undefined {
  return kinds.find((kind) => frame instanceof kind.Class) as FrameKind<Frame> | undefined;
}
export function kindNamed(name: string): FrameKind<Frame> | undefined {
  return kinds.find((kind) => kind.name === name) as FrameKind<Frame> | undefined;
}

/** What was read from bytes may inherit from a frame, which makes it none. */
export function isFrame(value: unknown): value is Frame {
  return typeof value === 'object' && value !== null && prototypes.has(Object.getPrototypeOf(value));
}

registerFrameKind({
  name: 'parameter',
  Class: BindingFrame,
  values: (frame) => [frame.parameter, frame.value],
  make: ([parameter, value]) =>
    typeof parameter === 'function' && identities.has(parameter) ? new BindingFrame(parameter, value) : null,
});
