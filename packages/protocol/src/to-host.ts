import type { Failure } from './failure.ts';
import type { ServletLimits } from './limits.ts';

/** Thread to acceptor, on the thread's own channel. Hostile input: see `readReply`. */
export const ToHost = {
  /** The servlet is loaded; payload: {@link Ready} as JSON. */
  Ready: 65,
  /** The servlet can't be loaded; payload: a Failure as JSON. The thread ends. */
  LoadFailed: 66,
  /** A whole response in one frame: usage, status, header lines, body. */
  Reply: 67,
  /** A response's head; its body follows in chunks. */
  Head: 68,
  /** The next bytes of a response's body, within the window that the acceptor granted. */
  Chunk: 69,
  /** The response's body is complete; payload: usage. */
  End: 70,
  /** The servlet failed on this request; payload: usage, then a Failure as JSON. */
  Fail: 71,
  /** u32: so many more bytes of the request's body may be sent. */
  Credit: 72,
  /** A line of the servlet's output; payload: a {@link LogLevel} byte, then UTF-8 text. */
  Log: 73,
  /** The request was given back unstarted, because its thread is stalled on an earlier one. */
  NotStarted: 74,
  /** What the thread holds for visitors who may come back; payload: u32 continuations, u32 bytes, u32 how much of that is nowhere else. */
  Holding: 75,
  /** The instances of which that is, as they were asked for; see `holdings.ts`. */
  Holdings: 76,
  /** The thread asks for something; see `ask.ts`. */
  Ask: 80,
  /** The next bytes of an ask's body, within the window that the acceptor granted. */
  AskBody: 81,
  /** The ask's body is complete. */
  AskEnd: 82,
  /** The thread has its answer, or wants none: the last frame of an ask. */
  AskOver: 83,
  /** u32: so many more bytes of an answer's body may be sent. */
  AnswerCredit: 84,
} as const;

/** 0 debug, 1 info, 2 warn, 3 error. */
export type LogLevel = 0 | 1 | 2 | 3;

/** What a thread says of the servlet that it has loaded. */
export interface Ready {
  kind: 'servlet' | 'fetch';
  limits: ServletLimits;
  /** Multipart forms are not to be read by the acceptor, but sent as they arrive. */
  takesRawBody: boolean;
  /** The thread can make instances again that another one has saved. */
  revives?: boolean;
  /** Where the servlet wants a visitor to start again whose page has expired. */
  startUrl?: string;
}

export type { Failure };
