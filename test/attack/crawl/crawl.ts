/** A guest that has a {@link install | tap} on all that it reaches, does what servlets do, and tells what came by. */
export { run as default } from './work.ts';
