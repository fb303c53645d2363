// Imported by cells whose supervisors look about so much more often, as their clock goes so much faster: what one look takes of a thread is lost in what its requests differ by.
const { performance: clock, setTimeout: wait } = globalThis;
const times = Number(new URL(import.meta.url).searchParams.get('times'));
const now = clock.now.bind(clock);
clock.now = () => now() * times;
globalThis.setTimeout = ((then: () => void, ms: number, ...given: []) =>
  wait(then, ms / times, ...given)) as typeof setTimeout;
