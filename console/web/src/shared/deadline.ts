// A signal that ends a request after a time. `AbortSignal.timeout` does the same, but younger than the browsers that the pages are
// built for: where it is missing, every request would fail as if nobody could be reached.

/** Aborts after `ms` real milliseconds. */
export function deadline(ms: number): AbortSignal {
  const ending = new AbortController();
  setTimeout(() => ending.abort(new DOMException("no answer in time", "TimeoutError")), ms);
  return ending.signal;
}
