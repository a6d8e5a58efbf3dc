// A signal that ends a request after a time. `AbortSignal.timeout` does the same, but younger than the browsers that the pages are
// built for: where it is missing, every request would fail as if nobody could be reached.

/** Aborts after `ms` real milliseconds. */
export function deadline(ms: number): AbortSignal {
  const ending = new AbortController();
  setTimeout(() => ending.abort(new DOMException("no answer in time", "TimeoutError")), ms);
  return ending.signal;
}

/** Aborts with the first of both; `AbortSignal.any` is younger still. */
export function either(one: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  if (one === undefined) return other;
  const ending = new AbortController();
  for (const each of [one, other]) {
    if (each.aborted) ending.abort(each.reason);
    else each.addEventListener("abort", () => ending.abort(each.reason), { once: true });
  }
  return ending.signal;
}
