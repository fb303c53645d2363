/** Acceptor to thread, on the thread's own channel. */
export const ToWorker = {
  /** A request's head; flags in its first byte say whether a body follows, and whether it is safe to repeat. */
  Request: 1,
  /** The next bytes of a request's body, within the window that the thread granted. */
  Body: 2,
  /** The request's body is complete. */
  BodyEnd: 3,
  /** The client is gone: nothing that is still sent for this request will be read. */
  Abort: 4,
  /** u32: so many more bytes of the response's body may be sent. */
  Credit: 5,
  /** The client has closed its side: probably it is gone, but it may wait for its answer. */
  ClientEnd: 6,
  /** Somebody wants to see the instances that the thread holds: it answers with `Holdings`. */
  TellHoldings: 7,
  /** The answer to an ask; a flag says whether a body follows. */
  Answer: 16,
  /** The next bytes of an answer's body, within the window that the thread granted. */
  AnswerBody: 17,
  /** The answer's body is complete. */
  AnswerEnd: 18,
  /** There is no answer, or no more of it; payload: a Failure as JSON. */
  AnswerFail: 19,
  /** u32: so many more bytes of an ask's body may be sent. */
  AskCredit: 20,
} as const;
