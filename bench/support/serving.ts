/** The other end of `startServer`: what each script in bench/servers does with its parent. */

/** The options that the bench gave. */
export function givenOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Tells the bench that the server listens; answers its questions; ends with it. */
export function serving(
  port: number,
  close: () => Promise<void> | void,
  answer: (question: string) => unknown = () => null,
): void {
  process.on('message', ({ id, question }: { id: number; question: string }) => {
    void Promise.resolve(answer(question)).then((answered) => process.send?.({ answerTo: id, answer: answered }));
  });
  process.once('disconnect', () => {
    void Promise.resolve(close()).finally(() => process.exit(0));
  });
  process.send?.({ port });
}
