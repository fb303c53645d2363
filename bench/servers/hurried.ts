// Imported by cells whose supervisors look so much more often: what one look takes of a thread is lost in what its requests differ by. By their clock, nothing else is different.
const { performance: clock, setTimeout: wait } = globalThis;
const times = Number(new URL(import.meta.url).searchParams.get('times'));
const now = clock.now.bind(clock);
clock.now = () => now() * times;
globalThis.setTimeout = ((then: () => void, ms: number, ...given: []) =>
  wait(then, ms / times, ...given)) as typeof setTimeout;
