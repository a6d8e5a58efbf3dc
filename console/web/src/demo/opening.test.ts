// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";

type Opening = typeof import("./opening");
/** The module as a page has it that was just loaded; what the window keeps stays. */
async function loaded(): Promise<Opening> {
  vi.resetModules();
  return import("./opening");
}

describe("the demonstration's drawer", () => {
  beforeEach(() => sessionStorage.clear());

  it("opens by itself for a newcomer, at the first leak", async () => {
    const { panel, following, openByItself } = await loaded();
    expect(panel.value).toBe(false);
    openByItself();
    expect([panel.value, following.value]).toEqual([true, true]);
  });

  it("does not open by itself again once it was closed, and opens when it is asked for", async () => {
    const first = await loaded();
    first.openByItself();
    first.closePanel();
    const later = await loaded();
    later.openByItself();
    later.openAgain();
    expect([later.panel.value, later.following.value]).toEqual([false, false]);
    later.openPanel();
    expect([later.panel.value, later.following.value]).toEqual([true, false]);
  });

  it("is open after the page was loaded anew where it was open before, and nowhere else", async () => {
    const stranger = await loaded();
    stranger.openAgain();
    expect(stranger.panel.value).toBe(false);
    stranger.openByItself();
    const again = await loaded();
    again.openAgain();
    expect(again.panel.value).toBe(true);
  });

  it("leaves what is chosen there alone while it is open", async () => {
    const { following, openPanel, openByItself } = await loaded();
    openPanel();
    openByItself();
    expect(following.value).toBe(false);
  });
});
