// What a route may say of itself; the shell draws the navigation from it and keeps out whom the console would refuse.

import "vue-router";
import type { Right } from "./session";

declare module "vue-router" {
  interface RouteMeta {
    /** Key of the page's name: the document's title, and its place in the navigation. */
    title?: string;
    /** Place in the navigation, smaller first; absent: not in it. Its mark is drawn before the name. */
    nav?: { at: number; mark?: string };
    /** Who may come here; default `read`. */
    right?: Right;
    /** Nobody needs to be signed in. */
    open?: boolean;
    /** Without the navigation: the wall. The live bar and the banners stay. */
    bare?: boolean;
  }
}
