// Where somebody goes who has just come in: back to the page asked for, or to the page of the role.

import type { LocationQuery, Router } from "vue-router";
import { fieldOnly, may, session } from "@/shared/session";

export function wayIn(router: Router, query: LocationQuery = {}): void {
  if (fieldOnly()) {
    location.assign("/field/");
    return;
  }
  const asked = typeof query.to === "string" && /^\/(?!\/)/.test(query.to) ? query.to : null;
  const viewer = session.value?.user.roles.every((role) => role === "viewer") === true && !may("remark");
  void router.replace(asked ?? (viewer ? "/wall" : "/desk"));
}

/** The token that a printed link carries behind its #, taken out of the address so that it stays in no history. */
export function tokenOfLink(): string {
  const token = location.hash.replace(/^#/, "");
  if (token) history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}
