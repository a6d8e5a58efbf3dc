// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApp, h, type App } from "vue";
import { setKeysOn, useKeys } from "./keys";

let app: App;
let pressed: string[];

function press(key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  target.dispatchEvent(event);
  return event;
}

beforeEach(() => {
  pressed = [];
  document.body.innerHTML = '<div id="here"></div><input id="field"><a id="link" href="#x">x</a>';
  app = createApp({
    setup() {
      useKeys({ j: () => pressed.push("j"), Enter: () => pressed.push("Enter"), "?": () => pressed.push("?") });
      return () => h("p");
    },
  });
  app.mount("#here");
});
afterEach(() => {
  app.unmount();
  setKeysOn(true);
});

describe("single keys", () => {
  it("act on the page, and not for the browser too", () => {
    expect(press("j").defaultPrevented).toBe(true);
    expect(press("x").defaultPrevented).toBe(false);
    expect(pressed).toEqual(["j"]);
  });

  it("typed into a field, with a modifier or under a dialog are not ours", () => {
    press("j", document.getElementById("field") as HTMLElement);
    press("j", document.body, { ctrlKey: true });
    document.body.append(Object.assign(document.createElement("dialog"), { open: true }));
    press("j");
    expect(pressed).toEqual([]);
  });

  it("are ours again when a dialog was left that stays in the page unseen", () => {
    document.body.insertAdjacentHTML("beforeend", '<div class="over" style="z-index: 2001; display: none;"><div role="dialog" aria-modal="true"></div></div>');
    press("j");
    document.querySelector<HTMLElement>(".over")?.style.removeProperty("display");
    press("j");
    expect(pressed).toEqual(["j"]);
  });

  it("what has the focus keeps its Enter", () => {
    press("Enter", document.getElementById("link") as HTMLElement);
    expect(pressed).toEqual([]);
    press("Enter");
    expect(pressed).toEqual(["Enter"]);
  });

  it("can be switched off, but the key that shows them stays", () => {
    setKeysOn(false);
    press("j");
    press("?");
    expect(pressed).toEqual(["?"]);
    expect(localStorage.getItem("desk-keys")).toBe("off");
  });

  it("end with their page", () => {
    app.unmount();
    press("j");
    expect(pressed).toEqual([]);
  });
});
