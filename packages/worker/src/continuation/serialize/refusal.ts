/** A value that can't be written, and why: the end of a sentence that begins with it. */
export class Refusal extends Error {
  readonly value: unknown;
  readonly reason: string;
  constructor(value: unknown, reason: string) {
    super(reason);
    this.value = value;
    this.reason = reason;
  }
}
