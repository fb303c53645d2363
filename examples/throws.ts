/** Fails as servlets ordinarily do: the visitor gets an error page, and the thread goes on. */
export default function throws(): never {
  throw new Error('Cannot find the page: this example always fails');
}
