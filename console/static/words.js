// The page's own words in both languages. What happened in an incident is worded by the API, not here.

const WORDS = {
  zh: {
    skip: "跳到事件",
    purpose: "收到家中燃气泄漏的报警后，一秒内发出切断指令、拨出通知电话，并派出抢修队。无须任何人按键。",
    simulated: "模拟小区：本页住户、电话和抢修人员均为模拟，不涉及真实电话与人员。",
    homes: "守护住户", incidentsOpen: "未结束事件", crewsFree: "空闲抢修队", ordersWaiting: "等待派单",
    openTitle: "正在处置", recentTitle: "最近结束",
    quiet: "目前没有泄漏。正在守护。",
    more: (n) => `另有 ${n} 起未结束事件未在此显示`,
    times: "时间均为北京时间", health: "健康状态", api: "接口文档", metrics: "指标",
    connecting: "正在连接", live: "实时", stale: "数据中断，自", deaf: "数据库中断，自", staleFor: (s) => `（已 ${s}）`,
    away: "暂时读不到数据，正在重试。",
    methane: "甲烷（开始时）", setPoint: (n) => `设定 ${n}`, valve: "阀门", call: "电话", order: "抢修单",
    noMethane: "未知", noCall: "尚未呼叫", noOrder: "尚未建单", crew: (c) => `抢修队 ${c}`, noCrew: "未派抢修队",
    since: "距报警", took: "报警到结束", simulatedTag: "模拟", closed: "已结束", causeOf: (cause) => `原因：${cause}`,
    story: (n) => `经过（${n} 条）`, storyEmpty: "正在读取经过…",
    done: "已完成", waiting: "等待中", none: "无记录",
    clocks: "从报警到复气的各个时刻",
    steps: {
      T0: "报警", T2: "平台收到", T3: "切断指令发出", valve: "阀门已切断", T6b: "电话振铃", T7: "住户按键", T8: "抢修单建立", T9: "派单",
      T11: "到场", T12: "已控制", T13: "严密性试验合格", T14: "复气",
    },
    locally: "就地联动",
    answers: {
      title: "阀门的四个答案", commanded: "指令已发", reported: "表端已报切断", beforeMeter: "疑似表前泄漏",
      asleep: (t) => `表端休眠，约 ${t} 回应`, provable: (t) => `${t} 可证明关严`,
      valve: { commanded: "等待表端", accepted: "正在关阀", no_answer: "表端无应答", refused: "表端拒绝", travel_time_over: "关阀超时", opened: "阀门已打开", no_meter: "无表可关" },
      proof: { none: "尚未证明关严", not_yet: "尚不能证明关严", due_at_uplink: "下次上报时证明", holds: "已证明关严", flows: "仍有燃气流过", not_provable: "流量无法证明" },
      room: { unknown: "室内浓度不明", clearing: "室内浓度下降", not_clearing: "室内浓度未降" },
    },
    blind: (n) => `失效 ${n} 户`, silent: (n) => `失联 ${n} 户`, powerless: (n) => `掉电 ${n} 户`,
    canaryAge: (age) => `平台自检：${age}前通过`, canaryOff: "平台自检：无结果",
    seconds: (s) => `${s} 秒`, minutes: (m, s) => `${m} 分 ${s} 秒`, hours: (h, m) => `${h} 小时 ${m} 分`,
  },
  en: {
    skip: "Skip to the incidents",
    purpose: "Within a second of hearing that gas leaks in a home, the close command and the call leave, and a crew is sent. Nobody has to press anything.",
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
    since: "since the alarm", took: "alarm to end", simulatedTag: "simulated", closed: "finished", causeOf: (cause) => `cause: ${cause}`,
    story: (n) => `Story (${n})`, storyEmpty: "Reading the story…",
    done: "done", waiting: "waiting", none: "not recorded",
    clocks: "The clocks from alarm to gas restored",
    steps: {
      T0: "Alarm", T2: "Received", T3: "Close sent", valve: "Valve closed", T6b: "Phone rang", T7: "Key pressed", T8: "Order created",
      T9: "Crew assigned", T11: "Crew on site", T12: "Made safe", T13: "Test passed", T14: "Gas restored",
    },
    locally: "detector in the home",
    answers: {
      title: "Four answers of the valve", commanded: "commanded", reported: "reported closed", beforeMeter: "leak before the meter suspected",
      asleep: (t) => `meter sleeps, answers about ${t}`, provable: (t) => `provable at ${t}`,
      valve: { commanded: "waiting for the meter", accepted: "closing", no_answer: "no answer", refused: "refused", travel_time_over: "took too long", opened: "opened", no_meter: "no meter" },
      proof: { none: "not proven to hold", not_yet: "not yet provable", due_at_uplink: "provable at its next report", holds: "holds", flows: "gas still flows", not_provable: "not provable by flow" },
      room: { unknown: "room not known", clearing: "room clears", not_clearing: "room does not clear" },
    },
    blind: (n) => `Homes blind: ${n}`, silent: (n) => `silent: ${n}`, powerless: (n) => `without mains: ${n}`,
    canaryAge: (age) => `self-check of the platform: passed ${age} ago`, canaryOff: "self-check of the platform: no result",
    seconds: (s) => `${s} s`, minutes: (m, s) => `${m} min ${s} s`, hours: (h, m) => `${h} h ${m} min`,
  },
};

/** The language that is read now. */
export const speech = { language: "zh" };
export const say = () => WORDS[speech.language];
