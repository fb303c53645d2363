/** When the request began that runs now, or ran last, in ms as of `performance.now()`: a time that costs nothing to know. */
export const requestClock = { startedAt: 0 };
