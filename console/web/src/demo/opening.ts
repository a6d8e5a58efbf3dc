// Whether the demonstration's drawer is open, in this window and for as long as it lives.
//
//   panel             open or not
//   openPanel()       somebody asks for it;  closePanel() closes it, and it stays closed until somebody asks
//   openByItself()    for a newcomer who has just come in by the demo's link: open unless it was closed before, at the first leak
//   following         the panel waits for the first leak that comes, and then follows it (First.vue)

import { shallowRef } from "vue";

const KEPT = "demo-panel";

export const panel = shallowRef(false);
export const following = shallowRef(false);

function kept(): string | null {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(state: "open" | "closed"): void {
  try {
    sessionStorage.setItem(KEPT, state);
  } catch {
    // Nothing is kept in this browser: the panel is only as it was left.
  }
}

export function openPanel(): void {
  panel.value = true;
  keep("open");
}

export function closePanel(): void {
  panel.value = false;
  following.value = false;
  keep("closed");
}

export function openByItself(): void {
  if (kept() === "closed" || panel.value) return;
  following.value = true;
  openPanel();
}

/** After the page was loaded anew: as it was left. */
export function openAgain(): void {
  if (kept() === "open") openByItself();
}
