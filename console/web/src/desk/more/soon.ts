// A moment that is near, as short as it can be said: the time today, the day with it otherwise.

import { now } from "@/shared/clock";
import { dateOf, dayTimeOf, shortTimeOf } from "@/shared/format";

export function soon(ms: number): string {
  return dateOf(ms) === dateOf(now.value) ? shortTimeOf(ms) : dayTimeOf(ms);
}
