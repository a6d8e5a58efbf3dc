// The page's own words in both languages. What happened in an incident is worded by the API, not here.

const WORDS = {
  zh: {
    skip: "跳到事件",
    purpose: "家中燃气一旦泄漏：一秒内发出切断指令，同时派抢修人员、给住户打电话。无须任何人按键。",
    simulated: "模拟小区：本页住户、电话和抢修人员均为模拟，不涉及真实电话与人员。",
    homes: "守护住户", incidentsOpen: "未结束事件", crewsFree: "空闲班组", ordersWaiting: "等待派单",
    openTitle: "正在处置", recentTitle: "最近结束",
    quiet: "目前没有泄漏。正在守护。",
    more: (n) => `另有 ${n} 起未结束事件未在此显示`,
    times: "时间均为北京时间", health: "健康状态", api: "接口文档", metrics: "指标",
    connecting: "正在连接", live: "实时", stale: "数据中断，自", deaf: "数据库中断，自", staleFor: (s) => `（已 ${s}）`,
    away: "暂时读不到数据，正在重试。",
    methane: "甲烷（开始时）", setPoint: (n) => `设定 ${n}`, valve: "阀门", call: "电话", order: "抢修单",
    noMethane: "未知", noCall: "尚未呼叫", noOrder: "尚未建单", crew: (c) => `班组 ${c}`, noCrew: "未派班组",
    since: "距报警", took: "报警到结束", simulatedTag: "模拟", closed: "已结束", byLinkage: (cause) => `原因：${cause}`,
    story: (n) => `经过（${n} 条）`, storyEmpty: "正在读取经过…",
    done: "已完成", waiting: "等待中", none: "无记录",
    clocks: "从报警到复气的各个时刻",
    steps: {
      T0: "报警", T2: "平台收到", T3: "切断指令发出", valve: "阀门已切断", T6b: "电话振铃", T7: "住户按键", T8: "抢修单建立", T9: "派单",
      T11: "到场", T12: "已控制", T13: "严密性试验合格", T14: "复气",
    },
    locally: "就地联动",
    seconds: (s) => `${s} 秒`, minutes: (m, s) => `${m} 分 ${s} 秒`, hours: (h, m) => `${h} 小时 ${m} 分`,
  },
  en: {
    skip: "Skip to the incidents",
    purpose: "When gas leaks in a home, the close command and the call leave within a second, and a crew is sent. Nobody has to press anything.",
    simulated: "Simulated district: homes, phones and crews on this page are simulated; no real phone or person is involved.",
    homes: "Homes watched", incidentsOpen: "Open incidents", crewsFree: "Crews free", ordersWaiting: "Orders waiting",
    openTitle: "Being handled", recentTitle: "Finished lately",
    quiet: "No leak now. On watch.",
    more: (n) => `${n} more open incidents are not shown here`,
    times: "All times are Beijing time", health: "Health", api: "API description", metrics: "Metrics",
    connecting: "Connecting", live: "Live", stale: "No data since", deaf: "Database lost since", staleFor: (s) => `(for ${s})`,
    away: "Data cannot be read just now; trying again.",
    methane: "Methane (at the start)", setPoint: (n) => `set-point ${n}`, valve: "Valve", call: "Phone", order: "Order",
    noMethane: "not known", noCall: "not called yet", noOrder: "no order yet", crew: (c) => `crew ${c}`, noCrew: "no crew yet",
    since: "since the alarm", took: "alarm to end", simulatedTag: "simulated", closed: "finished", byLinkage: (cause) => `cause: ${cause}`,
    story: (n) => `Story (${n})`, storyEmpty: "Reading the story…",
    done: "done", waiting: "waiting", none: "not recorded",
    clocks: "The clocks from alarm to gas restored",
    steps: {
      T0: "Alarm", T2: "Received", T3: "Close sent", valve: "Valve closed", T6b: "Phone rang", T7: "Key pressed", T8: "Order created",
      T9: "Crew assigned", T11: "Crew on site", T12: "Made safe", T13: "Tightness test passed", T14: "Gas restored",
    },
    locally: "in the home",
    seconds: (s) => `${s} s`, minutes: (m, s) => `${m} min ${s} s`, hours: (h, m) => `${h} h ${m} min`,
  },
};

/** The language that is read now. */
export const speech = { language: "zh" };
export const say = () => WORDS[speech.language];
