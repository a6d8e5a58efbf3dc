// @vitest-environment happy-dom
import { expect, it } from "vitest";
import { wantsSearch } from "./shortcut";

function pressed(key: string, at: Element, more: KeyboardEventInit = {}): boolean {
  let wanted = false;
  const take = (event: Event) => (wanted = wantsSearch(event as KeyboardEvent));
  document.addEventListener("keydown", take);
  at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
  document.removeEventListener("keydown", take);
  return wanted;
}

it("a slash on the page asks for the search", () => {
  expect(pressed("/", document.body)).toBe(true);
});

it("a slash that somebody writes is a slash", () => {
  const input = document.body.appendChild(document.createElement("input"));
  const area = document.body.appendChild(document.createElement("textarea"));
  expect(pressed("/", input)).toBe(false);
  expect(pressed("/", area)).toBe(false);
});

it("under a dialog, where it could not be used, a slash asks for nothing", () => {
  const dialog = document.body.appendChild(document.createElement("dialog"));
  dialog.showModal();
  expect(pressed("/", document.body)).toBe(false);
  dialog.close();
  expect(pressed("/", document.body)).toBe(true);
});

it("neither other keys nor the browser's own shortcuts ask for it", () => {
  expect(pressed("?", document.body)).toBe(false);
  expect(pressed("/", document.body, { ctrlKey: true })).toBe(false);
});
