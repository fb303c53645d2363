/** Ends the process that it runs in, or so it thinks. */
export default function exit(): never {
  process.exit(3);
}
