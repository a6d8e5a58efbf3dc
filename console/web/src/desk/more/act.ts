// One act of a person: sent once however often the button is pressed, retried under the same key, its refusal kept to be shown.
// A refusal that the retry of an earlier press meets may be as old as that press: the act is then asked for anew.

import { shallowRef, type ShallowRef } from "vue";
import { newKey, refusalOf, type Refusal } from "@/shared/api";

export interface Act {
  pending: ShallowRef<boolean>;
  refusal: ShallowRef<Refusal | null>;
  /** Gives what `send` gave, or null where it was refused. `about` tells one act from another: the same is the same act. */
  run: <T>(about: unknown, send: (key: string) => Promise<T>) => Promise<T | null>;
  forget: () => void;
}

export function useAct(): Act {
  const pending = shallowRef(false);
  const refusal = shallowRef<Refusal | null>(null);
  let kept: { about: string; key: string } | null = null;

  async function run<T>(about: unknown, send: (key: string) => Promise<T>): Promise<T | null> {
    if (pending.value) return null;
    pending.value = true;
    refusal.value = null;
    const named = JSON.stringify(about);
    const earlier = kept?.about === named ? kept : null;
    kept = earlier ?? { about: named, key: newKey() };
    try {
      const answer = await send(kept.key).catch((error: unknown) => {
        if (earlier === null || refusalOf(error).status !== 409) throw error;
        // What was refused moved nothing: it cannot come to be done twice.
        kept = { about: named, key: newKey() };
        return send(kept.key);
      });
      kept = null;
      return answer;
    } catch (error) {
      refusal.value = refusalOf(error);
      // Answered, and the answer was no: pressing again is another act. Not answered: the same one again.
      if (refusal.value.status >= 400 && refusal.value.status < 500) kept = null;
      return null;
    } finally {
      pending.value = false;
    }
  }

  function forget(): void {
    kept = null;
    refusal.value = null;
  }

  return { pending, refusal, run, forget };
}
