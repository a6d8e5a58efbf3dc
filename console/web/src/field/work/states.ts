// The states of an order in the words of the trade, for states that the phone has reached before the platform has heard of them.

import type { Words } from "@/shared/model";

const STATES: Readonly<Record<string, Words>> = {
  created: { zh: "已建单", en: "created" },
  waiting: { zh: "等待派单", en: "waiting for a crew" },
  assigned: { zh: "已派单，待接单", en: "assigned: accept it" },
  accepted: { zh: "已接单，前往现场", en: "accepted, on the way" },
  on_site: { zh: "已到场", en: "on site" },
  no_access: { zh: "到访不遇", en: "no access" },
  made_safe: { zh: "已控制", en: "made safe" },
  cause_recorded: { zh: "已查明原因", en: "cause recorded" },
  tightness_passed: { zh: "严密性试验合格", en: "tightness test passed" },
  restored: { zh: "已复气", en: "gas restored" },
  archived: { zh: "已归档", en: "archived" },
};

export const wordsOf = (state: string): Words => STATES[state] ?? { zh: state, en: state };
