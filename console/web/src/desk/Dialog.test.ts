// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { h, nextTick, shallowRef } from "vue";
import Dialog from "./Dialog.vue";
import { stage, strike, until } from "./more/stage";

afterEach(strike);

async function opened() {
  const open = shallowRef(true);
  const page = { render: () => (open.value ? h(Dialog, { title: "备注", onClose: () => (open.value = false) }, () => h("textarea")) : null) };
  const on = await stage(page, {}, {});
  return { on, dialog: on.find<HTMLDialogElement>("dialog") };
}
const down = (at: HTMLElement) => at.dispatchEvent(new Event("pointerdown", { bubbles: true }));

it("a selection that is drawn out of a field keeps the dialog and what was written", async () => {
  const { on, dialog } = await opened();
  const field = on.find<HTMLTextAreaElement>("textarea");
  field.value = "8 栋停电";
  down(field);
  // A browser's click is of what both ends of the drag have in common.
  dialog.click();
  await nextTick();
  expect(dialog.open).toBe(true);
  expect(on.find<HTMLTextAreaElement>("textarea").value).toBe("8 栋停电");
});

it("a click beside the dialog closes it", async () => {
  const { dialog } = await opened();
  down(dialog);
  dialog.click();
  await until(() => expect(document.querySelector("dialog")).toBeNull());
});

it("is told of Escape before it is closed: one that is opened in the same moment stays", async () => {
  const { dialog } = await opened();
  const escape = new Event("cancel", { cancelable: true });
  dialog.dispatchEvent(escape);
  expect([escape.defaultPrevented, dialog.open]).toEqual([true, true]);
  await until(() => expect(document.querySelector("dialog")).toBeNull());
});

it("is not closed by a choice of a file that was called off inside it", async () => {
  const { on, dialog } = await opened();
  on.find("textarea").dispatchEvent(new Event("cancel", { bubbles: true, cancelable: true }));
  await nextTick();
  expect(dialog.open).toBe(true);
});
