// The wall's words. What happened in an incident, and what an order's state is called, is worded by the API.

export default {
  zh: {
    title: "大屏",
    heading: "燃气安全监控大屏",
    figures: {
      title: "实时数字", homes: "守护住户", blind: "其中失效", silent: "其中失联", powerless: "其中掉电", held: "阀门保持切断", crews: "抢修队空闲/在忙", waiting: "等待派单",
    },
    unknown: "不明",
    none: "无",
    ages: { title: "平台是否正常", data: "数据更新于", ago: "{age}前", unhandled: "最久未处理报警", canary: "平台自检通过于", canary_off: "无结果", canary_first: "等待首次" },
    promises: {
      title: "今日承诺", close_sent_1s: "1 秒内切断令", called_1s: "1 秒内拨电话", ordered_1s: "1 秒内建单", on_site_30min: "30 分内到场",
      kept: "{kept}/{of}", worst: "最慢 {time}", nothing: "尚无",
    },
    steps: { title: "各步骤的未结束事件", closing: "正在切断", crew_wanted: "待派", crew_under_way: "在途", on_site: "到场", made_safe: "已控制", tested: "试验合格", restored: "复气" },
    list: {
      title: "未结束事件", count: "{n} 起", more: "另有 {n} 起", all: "查看全部", quiet: "目前没有泄漏，正在守护。", not_known: "数据中断：现在是否有泄漏，不得而知。",
      reading: "正在读取…", still: "正在读取其余事件…", since: "距报警", answers: "阀门的四个答案",
      only: "仅显示 {place}", back: "显示全部",
    },
    answers: {
      commanded: { yes: "已发令", not_yet: "未发令", no_meter: "无表可关" },
      reported: { closed: "已报切断", opened: "阀门已开", accepted: "正在关", no_answer: "没有回应", refused: "拒绝", travel_time_over: "关阀超时", asleep: "表端休眠", waiting: "待回报" },
      holds: { yes: "已关严", held: "曾关严", flows: "仍有气流", not_provable: "无法证明", at_uplink: "待上报证明", not_yet: "未证关严", in_minutes: "{n} 分后可证", in_a_minute: "不到 1 分钟可证", any_moment: "随时可证" },
      clearing: { yes: "浓度下降", no: "浓度未降", unknown: "浓度不明", before_meter: "疑表前漏" },
    },
    map: {
      title: "地图：{estates} 个小区，{open} 起未结束事件", whole: "全城", nearer: "放大", farther: "缩小", full: "全屏", full_end: "退出全屏",
      keys: "方向键移动，加减键缩放，Home 键回到全城。",
      outside: "画面外 {n} 起", unplaced: "位置不明 {n} 起",
      legend: { title: "图例", estate: "小区", building: "楼栋", weak: "一成以上失效、失联或掉电", bad: "情况异常", busy: "正在处置", safe: "已控制" },
      mark: { incident: "{place}，{state}", many: "{place}：{n} 起", area: "此片 {n} 起", nearer: "按回车放大", open: "按回车打开事件" },
      homes: "{n} 户",
    },
    news: { one: "新事件", many: "新增 {n} 起事件", again: "再次泄漏报警", many_again: "{again} 起再次泄漏报警", both: "新增 {n} 起事件，{again} 起再次泄漏报警" },
  },
  en: {
    title: "Wall",
    heading: "Gas safety monitoring wall",
    figures: {
      title: "Live figures", homes: "Homes protected", blind: "Homes blind", silent: "Homes silent", powerless: "Power lost", held: "Valves held",
      crews: "Crews free/busy", waiting: "Orders waiting",
    },
    unknown: "not known",
    none: "none",
    ages: { title: "Is the platform well", data: "Data updated", ago: "{age} ago", unhandled: "Unhandled for", canary: "Self-check", canary_off: "no result", canary_first: "first due" },
    promises: {
      title: "Promises today", close_sent_1s: "Close in 1 s", called_1s: "Call in 1 s", ordered_1s: "Order in 1 s", on_site_30min: "There 30 min",
      kept: "{kept}/{of}", worst: "slowest {time}", nothing: "none yet",
    },
    steps: { title: "Open incidents by step", closing: "closing", crew_wanted: "no crew", crew_under_way: "under way", on_site: "on site", made_safe: "made safe", tested: "test passed", restored: "restored" },
    list: {
      title: "Open incidents", count: "{n}", more: "and {n} more", all: "see them all", quiet: "No leak now. On watch.", not_known: "No data: whether gas leaks now is not known.",
      reading: "Reading…", still: "Reading the others…", since: "since the alarm", answers: "Four answers of the valve",
      only: "Only {place}", back: "show all",
    },
    answers: {
      commanded: { yes: "sent", not_yet: "not sent", no_meter: "no meter" },
      reported: { closed: "reported", opened: "opened", accepted: "closing", no_answer: "no answer", refused: "refused", travel_time_over: "too slow", asleep: "meter sleeps", waiting: "no report yet" },
      holds: { yes: "holds", held: "held", flows: "gas flows", not_provable: "not provable", at_uplink: "proof at report", not_yet: "not proven", in_minutes: "proof in {n} min", in_a_minute: "proof in less than a minute", any_moment: "proof any moment" },
      clearing: { yes: "room clears", no: "not clearing", unknown: "room unknown", before_meter: "before meter?" },
    },
    map: {
      title: "Map: {estates} estates, {open} open incidents", whole: "Whole city", nearer: "Nearer", farther: "Farther", full: "Full screen", full_end: "Leave full screen",
      keys: "Arrow keys move, plus and minus zoom, Home shows the whole city.",
      outside: "{n} outside of the view", unplaced: "{n} of unknown place",
      legend: { title: "Legend", estate: "estate", building: "building", weak: "10 % or more blind, silent or power lost", bad: "going wrong", busy: "being handled", safe: "made safe" },
      mark: { incident: "{place}, {state}", many: "{place}: {n}", area: "{n} here", nearer: "Enter shows it nearer", open: "Enter opens the incident" },
      homes: "{n} homes",
    },
    news: { one: "New incident", many: "{n} new incidents", again: "Leaks again", many_again: "{again} leak again", both: "New incidents: {n}, leaking again: {again}" },
  },
};
