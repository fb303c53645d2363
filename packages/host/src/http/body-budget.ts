/** Memory for bodies that wait for a thread, of all connections together: each may be small, and there are thousands of them. */
export class BodyBudget {
  readonly maxBytes: number;
  heldBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get isSpent(): boolean {
    return this.heldBytes > this.maxBytes;
  }
}
