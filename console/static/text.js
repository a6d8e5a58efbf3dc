// How times, values and elements are made: text goes in as text, never as markup.

import { say } from "/static/words.js";

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const hidden = (text) => {
  const mark = element("span", "mark", text);
  mark.setAttribute("aria-hidden", "true");
  return mark;
};

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const beijing = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const timeOf = (ms) => beijing.format(ms);
export const timeToTenth = (ms) => `${timeOf(ms)}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`;

export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return say().seconds(seconds);
  if (seconds < 3600) return say().minutes(Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0"));
  return say().hours(Math.floor(seconds / 3600), String(Math.floor((seconds % 3600) / 60)).padStart(2, "0"));
}

export function afterAlarm(ms) {
  if (ms < 0) return `−${(-ms / 1000).toFixed(2)} s`;
  if (ms < 10_000) return `+${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `+${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  const two = (value) => String(value).padStart(2, "0");
  const minutes = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `+${seconds < 3600 ? minutes : `${Math.floor(seconds / 3600)}:${minutes}`}`;
}
export const methane = (value) => `${Math.round(value * 10) / 10} %LEL`;
