// Single keys of a page. A key typed into a field, with a modifier, or under an open dialog is not ours; and whoever steers
// by voice or by other means can switch them all off.
//
//   useKeys({ j: act })   for as long as the component lives;  keysOn / setKeysOn()   remembered in this browser

import { onMounted, onUnmounted, shallowRef } from "vue";

const KEPT = "desk-keys";
const TYPING = new Set(["INPUT", "TEXTAREA", "SELECT"]);

export const keysOn = shallowRef(remembered() !== "off");

function remembered(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export function setKeysOn(on: boolean): void {
  keysOn.value = on;
  try {
    localStorage.setItem(KEPT, on ? "on" : "off");
  } catch {
    // Holds for this page then.
  }
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (TYPING.has(target.tagName) || target.isContentEditable);
}

/** A dialog that was left may stay in the page unseen. */
export function dialogOpen(): boolean {
  return [...document.querySelectorAll("dialog[open], [aria-modal='true']")].some((dialog) => dialog.closest("[style*='display: none']") === null);
}

export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>): void {
  const pressed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (dialogOpen()) return;
    // What has the focus keeps its Enter.
    if (event.key === "Enter" && event.target !== document.body) return;
    const act = keysOn.value || event.key === "?" ? keys[event.key] : undefined;
    if (act === undefined) return;
    event.preventDefault();
    act(event);
  };
  onMounted(() => addEventListener("keydown", pressed));
  onUnmounted(() => removeEventListener("keydown", pressed));
}
