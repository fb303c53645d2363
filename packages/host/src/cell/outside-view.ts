import { LookPace } from './look-pace.ts';

/** Before it has to be, a thread is asked when its process has so much more than it ever had when it was; or that share of what it holds. */
const NEWS_BYTES = 1 << 20;
const NEWS_SHARE = 1 / 32;
/** So often at most, unless that is such a share of the room that it has left. */
const NEWS_EVERY_MS = 50;
const NEWS_ROOM_SHARE = 1 / 4;
/** As long as its process does not grow, a thread is asked again after so long: there were free pages in its heap. Each second time all are asked. */
const ASK_AGAIN_MS = 125;

/** A thread as it is seen from outside: it has taken no more, since it was asked what it holds, than its process has grown by; but for what it can take unseen. */
export class OutsideView {
  readonly #now: () => number;
  readonly #pace: LookPace;
  /** By what it says itself. */
  readonly #ownPace: LookPace;
  /** Of the process, when it was looked at last. */
  #rssBytes = 0;
  /** When it was asked last for what it has answered, and what the process had then. */
  #askedAt = -Infinity;
  #askedRssBytes = 0;
  /** The most that the process had when it was asked, since it is watched. */
  #highRssBytes = 0;
  /** By all that it can have taken it is not over its cap. */
  isBounded = true;
  /** What it could have taken unseen, when it was looked at last. */
  #hiddenBytes = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#pace = new LookPace(now);
    this.#ownPace = new LookPace(now);
  }

  /** It is watched from now on. */
  begin(): void {
    this.#highRssBytes = 0;
  }

  /** Its process has so much memory. */
  see(rssBytes: number): void {
    this.#rssBytes = rssBytes;
    this.#pace.see(rssBytes);
  }

  /** It has so much room by what it said last, and can have taken `hiddenBytes` without any growth of its process. */
  bound(hiddenBytes: number, roomBytes: number): void {
    this.#hiddenBytes = hiddenBytes;
    this.isBounded = hiddenBytes <= this.roomOf(roomBytes);
  }

  /** It holds so much by its statistics, as it was asked at `askedAt`, when its process had `rssBytes`. */
  onAnswer(statedBytes: number, askedAt: number, rssBytes: number): void {
    this.#askedAt = askedAt;
    this.#askedRssBytes = rssBytes;
    this.#highRssBytes = Math.max(this.#highRssBytes, rssBytes);
    this.#ownPace.see(statedBytes);
  }

  /** Memory of the process has come or gone that was not its own: how much there is says nothing of it, until it is asked. */
  onOthersMemory(): void {
    this.isBounded = false;
    this.#askedAt = -Infinity;
  }

  /** What is left of the room that it had by what it said, if it has taken all that its process has grown by since. */
  roomOf(roomBytes: number): number {
    return roomBytes - Math.max(0, this.#rssBytes - this.#askedRssBytes);
  }

  /** ms since it was asked. */
  get agoMs(): number {
    return this.#now() - this.#askedAt;
  }

  /** When it is to be asked again, whatever is seen. */
  get askAgainAt(): number {
    return this.#askedAt + ASK_AGAIN_MS;
  }

  /**
   * So much its process may have before it is to be asked: little more than when it was, and not so much that it can have no more than `leastBytes`
   * left of its room. It held so much, and had so much room.
   */
  calmBytes(heldBytes: number, roomBytes: number, leastBytes: number): number {
    const boundBytes = this.#askedRssBytes + roomBytes - Math.max(this.#hiddenBytes, leastBytes);
    return Math.min(this.#highRssBytes + newsBytes(heldBytes), boundBytes);
  }

  /** Has the process so much more that its peak may be another? It held so much, and had so much room. */
  hasNews(heldBytes: number, roomBytes: number): boolean {
    const moreBytes = this.#rssBytes - this.#highRssBytes;
    if (moreBytes <= newsBytes(heldBytes)) return false;
    return moreBytes > roomBytes * NEWS_ROOM_SHARE || this.agoMs >= NEWS_EVERY_MS;
  }

  /** In how many ms to look again at what has so much room left, see {@link roomOf}. */
  nextMs(roomBytes: number): number {
    return Math.min(this.#pace.nextMs(roomBytes), this.isBounded ? Infinity : this.#ownPace.nextMs(roomBytes));
  }
}

function newsBytes(heldBytes: number): number {
  return Math.max(NEWS_BYTES, heldBytes * NEWS_SHARE);
}
