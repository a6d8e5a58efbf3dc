// The language of the page: Chinese or English, chosen once and kept in this browser.
//
//   language                  ref "zh" | "en"; setLanguage() changes it, the document's lang and what is remembered
//   addMessages(name, words)  registers { zh: {...}, en: {...} } under t("name.…"); every folder does so in its routes file
//   t                         translate outside of a component; in templates use $t
//   named(table, code)       the word of a code in a table of messages, e.g. named("words.actor", "line"); an unlisted code stands for itself
//   bilingual(text)          a note written as "Chinese / English", each reader in his language
//   said(words)               the sentence of a { zh, en } pair that the API gave, in the language that is read now

import { computed } from "vue";
import { createI18n } from "vue-i18n";

export type Language = "zh" | "en";
type Tree = { [key: string]: string | Tree };

const KEPT = "language";

function begin(): Language {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Then the browser's own language decides.
  }
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, kept, ...navigator.languages].find(Boolean) ?? "zh";
  return wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const i18n = createI18n({ legacy: false, locale: begin() as string, fallbackLocale: "en", messages: { zh: {}, en: {} } as Record<string, Tree> });

export const language = computed<Language>(() => (i18n.global.locale.value === "zh" ? "zh" : "en"));

export const t: (key: string, named?: Record<string, unknown>) => string = (key, named) => i18n.global.t(key, named ?? {});

export function setLanguage(chosen: Language): void {
  i18n.global.locale.value = chosen;
  markDocument();
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // A browser that keeps nothing still switches.
  }
}

export function markDocument(): void {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
}

export function addMessages(name: string, words: { zh: Tree; en: Tree }): void {
  i18n.global.mergeLocaleMessage("zh", { [name]: words.zh });
  i18n.global.mergeLocaleMessage("en", { [name]: words.en });
}

export function named(table: string, code: string): string {
  return i18n.global.te(`${table}.${code}`, language.value) ? t(`${table}.${code}`) : code;
}

const HAN = /\p{Script=Han}/u;

export function bilingual(text: string): string {
  const at = text.indexOf(" / ");
  if (at === -1) return text;
  const [zh, en] = [text.slice(0, at), text.slice(at + 3)];
  return HAN.test(zh) && !HAN.test(en) ? said({ zh, en }) : text;
}

export function said(words: { zh: string; en: string } | null | undefined): string {
  return words ? words[language.value] : "";
}

markDocument();
