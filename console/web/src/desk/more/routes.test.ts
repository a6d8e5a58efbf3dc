// @vitest-environment happy-dom
import { expect, it } from "vitest";
import routes from "../more";

it("pages that need a right say which, so that the shell hides them and keeps others out", () => {
  const rights = Object.fromEntries(routes.filter((route) => route.meta?.right).map((route) => [route.path, route.meta?.right]));
  expect(rights).toEqual({ "/desk/hotline": "hotline", "/desk/handover": "handover", "/admin/users": "users", "/admin/tokens": "tokens", "/admin/audit": "audit" });
});

it("every page is fetched with its words when it is opened", async () => {
  for (const route of routes) {
    if (typeof route.component !== "function") continue;
    const page = await (route.component as () => Promise<unknown>)();
    expect(page, route.path).toBeTruthy();
  }
}, 30_000);
