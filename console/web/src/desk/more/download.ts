// A file that the console makes for a person, saved by his browser. It is recorded there before its first line is given; a download that breaks
// off is refused whole, so that nobody takes half a file for all of it.

import { changeHeaders, Refusal, send } from "@/shared/api";

const DAY_MS = 86_400_000;
const BEIJING_MS = 8 * 3_600_000;

/** The day in Beijing, as a date field writes it: 2026-04-02. */
export function dayOf(ms: number): string {
  return new Date(ms + BEIJING_MS).toISOString().slice(0, 10);
}

/** From the first moment of one day in Beijing to the last of another, end excluded; null where that is no period. */
export function periodOf(first: string, last: string): { from_ms: number; to_ms: number } | null {
  const from_ms = Date.parse(`${first}T00:00:00+08:00`);
  const to_ms = Date.parse(`${last}T00:00:00+08:00`) + DAY_MS;
  return to_ms > from_ms && to_ms - from_ms <= 366 * DAY_MS ? { from_ms, to_ms } : null;
}

function nameIn(response: Response): string {
  return /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "export.csv";
}

/** Asks for a file, saves it, and gives its name; throws Refusal. */
export async function download(path: string, body: unknown, key: string): Promise<string> {
  const response = await send(path, { method: "POST", headers: { ...changeHeaders(key), "Content-Type": "application/json" }, body: JSON.stringify(body) });
  let file: Blob;
  try {
    file = await response.blob();
  } catch {
    throw new Refusal(0, "broken_off", "下载中断，文件未保存，请重试", "the download broke off and was not saved: try again");
  }
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = nameIn(response);
  link.click();
  // The browser has taken it by then; kept longer it would fill the page's memory.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return link.download;
}
