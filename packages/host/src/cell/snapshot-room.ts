/** What a cell may have beyond its wall for heap snapshots of its threads, and for what they leave. In bytes. */
export class SnapshotRoom {
  #bytes = 0;
  #leftBytes = 0;
  #underWay = 0;
  /** Of the process, when the first of those that are under way began. */
  #beforeBytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** A heap is being taken down, for which the process, which has `rssBytes`, may have so much more. */
  begin(maxBytes: number, rssBytes: number): void {
    if (this.#underWay++ === 0) this.#beforeBytes = rssBytes;
    this.#bytes += maxBytes;
  }

  /** That is over. When none is under way it may have more what they left: the allocator keeps it for whatever comes, as long as the process lives. */
  end(rssBytes: number): void {
    if (--this.#underWay > 0) return;
    this.#leftBytes += Math.max(0, rssBytes - this.#beforeBytes);
    this.#bytes = this.#leftBytes = Math.min(this.#bytes, this.#leftBytes);
  }
}
