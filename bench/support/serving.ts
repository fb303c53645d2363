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
  process.on('message', async (message: { id: number; question: string }) => {
    process.send?.({ answerTo: message.id, answer: await answer(message.question) });
  });
  process.once('disconnect', async () => {
    await close();
    process.exit(0);
  });
  process.send?.({ port });
}
