"""The closed lists of the platform in words of both languages: what a stranger reads instead of a code.

The Chinese words of the trade (切断, 抢修单, 派单, 接单, 到场, 已控制, 严密性试验, 复气, 归档) are used verbatim.
A code that is not listed is shown as it is, so that a newer station never makes the page fail.
"""

from collections.abc import Mapping

from pydantic import BaseModel, Field


class Words(BaseModel):
    """One thing said in both languages."""

    zh: str = Field(description="Chinese")
    en: str = Field(description="English")


def _table(**words: tuple[str, str]) -> Mapping[str, Words]:
    return {code: Words(zh=zh, en=en) for code, (zh, en) in words.items()}


INCIDENT_KINDS = _table(
    leak=("燃气泄漏", "gas leak"),
    hotline_report=("热线报漏", "hotline report"),
    past_leak=("过往泄漏", "past leak"),
    unknown_sender=("未知设备报警", "alarm from an unknown device"),
    garbled_alarm=("报警内容无法读取", "unreadable alarm"),
    canary=("自检演练", "self-check"),
)
VALVE_KNOWLEDGE = _table(
    commanded=("切断指令已发出，等待表端回应", "close command sent, waiting for the meter"),
    accepted=("表端已接受切断指令，阀门正在关闭", "the meter accepted the close, the valve is moving"),
    reported_closed=("表端报告：已切断", "the meter reports the valve closed"),
    gas_still_flows=("关阀后仍有燃气流过，正在再次切断", "gas still flows past the closed valve, it is closed again"),
    no_answer=("表端没有回应，正在重发切断指令", "no answer from the meter, the close is being sent again"),
    refused=("表端拒绝切断", "the meter refused to close"),
    travel_time_over=("关阀超时，阀门状态不明", "the valve took too long to close, its position is unknown"),
    opened=("阀门已由现场人员打开", "the valve was opened by a person at the meter"),
    no_meter=("该户没有可切断的燃气表", "this home has no meter that can be closed"),
    none=("未发出切断指令", "no close was commanded"),
)
PROOFS = _table(
    none=("尚无切断报告", "not reported closed yet"),
    not_yet=("尚不能证明关严", "not yet provable"),
    due_at_uplink=("待燃气表下次上报时证明", "provable at the meter's next report"),
    holds=("已证明：无燃气流过", "proven: no gas flows"),
    flows=("仍有燃气流过", "gas still flows"),
    not_provable=("关阀前无流量，无法由流量证明", "no gas flowed before: not provable by flow"),
)
CLEARINGS = _table(
    unknown=("室内浓度尚不明", "the room is not known yet"),
    clearing=("室内浓度正在下降", "the methane in the room falls"),
    not_clearing=("室内浓度没有下降", "the methane in the room does not fall"),
)
HOLDS = _table(
    safety=("安全", "safety"),
    arrears=("欠费", "arrears"),
    self_protection=("燃气表自保护", "self-protection"),
    away=("外出", "away"),
    works=("施工", "works"),
)
CONDITIONS = _table(
    blind=("失效", "blind"),
    silent=("失联", "silent"),
    powerless=("掉电", "power lost"),
)
CONDITION_CAUSES = _table(
    preheat=("预热过久", "preheats for too long"),
    fault=("故障", "fault"),
    end_of_life=("寿命到期", "end of life"),
    clock=("时钟错乱", "its clock cannot be true"),
    no_report=("未按时上报", "no report in its time"),
    never_heard=("从未上报", "never heard"),
    will=("连接中断", "its connection was lost"),
    hub_will=("集中器连接中断", "its hub's connection was lost"),
    battery=("改由电池供电", "runs on its battery"),
    power_lost=("掉电报警", "said that its power is lost"),
)
VALVE_CAUSES = _table(
    command=("平台指令", "the platform's command"),
    linkage=("探测器联动", "the detector in the home"),
    arrears=("欠费", "no credit"),
    excess_flow=("流量过大", "excess flow"),
    long_use=("超时用气", "over-long use"),
    low_pressure=("压力过低", "low pressure"),
    tamper=("防拆", "tampering"),
    low_battery=("电池电量低", "low battery"),
    seismic=("震动", "seismic shock"),
    manual=("人工", "by hand"),
    unknown=("原因不明", "a cause not known"),
)
ORDER_KINDS = _table(
    emergency=("抢修单", "emergency order"),
    inspection=("检查单", "inspection order"),
    triage=("核实单", "triage order"),
    canary=("自检单", "self-check order"),
)
ORDER_STATES = _table(
    created=("已建单", "created"),
    waiting=("等待派单", "waiting for a crew"),
    assigned=("已派单", "crew assigned"),
    accepted=("已接单，前往现场", "accepted, on the way"),
    on_site=("已到场", "on site"),
    no_access=("到访不遇", "no access"),
    made_safe=("已控制", "made safe"),
    cause_recorded=("已查明原因", "cause recorded"),
    tightness_passed=("严密性试验合格", "tightness test passed"),
    restored=("已复气", "gas restored"),
    archived=("已归档", "archived"),
)
CALL_OUTCOMES = _table(
    under_way=("正在呼叫", "calling now"),
    confirmed=("已按 1 确认：人员已撤离", "key 1 pressed: they are out"),
    help_needed=("已按 2：需要帮助", "key 2 pressed: they need help"),
    wrong_home=("已按 9：不是本户", "key 9 pressed: not their home"),
    heard_unconfirmed=("已接听，未确认", "heard, not confirmed"),
    not_reached=("接通但未按键，视为未通知到", "answered without a key: counted as not reached"),
    busy=("占线", "busy"),
    declined=("被挂断", "declined"),
    no_answer=("无人接听", "no answer"),
    failed=("呼叫失败", "the call failed"),
    no_trunk=("没有可用的语音线路", "no telephone line is configured"),
    worker_lost=("语音服务中断，将重新呼叫", "the voice service was lost, the call is made again"),
)
REPAIR_CAUSES = _table(
    hose=("软管", "hose"),
    cooker=("灶具无熄火保护", "cooker without flame-out cut-off"),
    cooker_without_flameout_cutoff=("灶具无熄火保护", "cooker without flame-out cut-off"),
    joint=("接头", "joint"),
    hidden_pipe=("暗管", "hidden pipe"),
    test_gas=("试验用气", "test gas"),
    no_leak_found=("未发现泄漏", "no leak found"),
)
EVENTS = _table(
    leak=("泄漏", "leak"),
    leak_cleared=("泄漏解除", "leak cleared"),
    fault=("故障", "fault"),
    fault_cleared=("故障恢复", "fault cleared"),
    end_of_life=("寿命到期", "end of life"),
    power_lost=("掉电", "power lost"),
    power_restored=("恢复供电", "power restored"),
    tamper=("防拆报警", "tamper"),
    valve_closed=("阀门已关", "valve closed"),
)
TASK_KINDS = _table(
    help_needed=("住户需要帮助：请立即联系", "they need help: reach them at once"),
    nobody_to_call=("没有可拨打的联系人：请设法通知住户", "there is nobody to ring: find a way to warn the home"),
    nobody_confirmed=("无人确认：请人工致电或上门", "nobody confirmed: ring them yourself or send somebody"),
    not_accepted=("抢修队尚未接单：请催办或改派", "the crew has not accepted: urge it or send another"),
    closed_by_itself=("燃气表自行切断：请核实原因", "the meter closed by itself: find out why"),
    held_valve_open=("安全保持中的阀门开着：请联系住户并派人核实", "a valve stands open against its safety hold: send somebody"),
    over_set_point_in_preheat=("预热中浓度超过设定值：请人工核实", "over the set-point while still heating up: a person has to look"),
    registry_error=("登记信息有误：请更正", "the registry is wrong: correct it"),
    account_flooding=("某账号报警过多，已限流：请查设备", "an account floods us with alarms and is held back: look at its device"),
    building_dark=("整栋掉电：请核实停电范围", "a building lost its mains at once: find out about the power cut"),
    close_missing=("泄漏事件缺少切断指令，已补发：请核实阀门", "an incident had no close under way, it was sent: check the valve"),
    order_missing=("泄漏事件缺少抢修单，已催办：请立即派人", "an incident has no order, dispatch was told again: send somebody"),
    call_missing=("泄漏事件没有电话通知，已催办：请人工致电", "an incident has no call, dispatch was told again: ring them yourself"),
    canary_late=("平台自检超时：请立即检查平台", "the platform's self-check is late: look at the platform at once"),
)
REFUSALS = _table(
    held=("阀门仍须保持切断", "the valve is still held closed"),
    no_such_hold=("该户没有这项保持", "there is no such hold"),
    hold_not_by_request=("该保持不能由申请设置", "this hold is not set by request"),
    not_this_authority=("该保持只能由其授权方解除", "only its own authority lifts this hold"),
    not_on_this_order=("只有本单的抢修人员可以开阀", "only the order's own technician may open"),
    not_on_site=("抢修人员尚未到场", "the technician is not on site"),
    no_passed_test=("没有合格的严密性试验", "no tightness test has passed"),
    leak_after_test=("试验之后又有泄漏报警", "it leaked again after the test"),
    no_meter=("没有可开启的燃气表", "there is no meter with a valve"),
    meter_not_heard=("燃气表最近没有通信", "the meter was not heard just now"),
    test_not_a_number=("数值无效", "not a number"),
    test_too_short=("稳压时间不足", "too short"),
    test_pressure_too_low=("起始压力不足", "start pressure too low"),
    test_pressure_fell=("压降超过允许值", "the pressure fell too far"),
    test_pressure_rose=("压力上升", "the pressure rose"),
)
ENDINGS = _table(
    restored=("已复气", "gas restored"),
    closed_without_gas=("未复气，阀门保持切断", "gas not restored, the valve stays closed"),
    superseded=("由新的事件接替", "a new incident took over"),
    called=("自检完成", "self-check passed"),
    call_failed=("自检未完成：电话没有拨通", "self-check failed: its telephone could not be rung"),
    canary_stuck_at_close=("自检未完成：燃气表没有收到切断指令", "self-check stuck: the close did not reach its meter"),
    canary_stuck_at_promise=("自检未完成：报警没有得到确认", "self-check stuck: its alarm was not acknowledged"),
    canary_stuck_at_telemetry=("自检未完成：数据没有到达", "self-check stuck: its reading did not arrive"),
    canary_stuck_at_order=("自检未完成：调度没有完成自检单", "self-check stuck: dispatch did not finish its order"),
)
HEALTH_REASONS = _table(
    starting=("正在启动", "starting"),
    alarm_lane_down=("报警通道中断", "the alarm lane is down"),
    telemetry_lane_down=("数据通道中断", "the telemetry lane is down"),
    database_away=("数据库不可用", "the database is away"),
    journal_away=("本地日志不可写", "the journal cannot be written"),
    standing_still=("进程停滞，没有反应", "the process stands still"),
    journal_down=("本地日志不可写", "the journal cannot be written"),
    snapshot_old=("本地快照过旧", "the snapshot is old"),
    alarms_waiting=("报警处理滞留", "alarms wait"),
    canary_late=("平台自检超时", "the self-check is late"),
    incident_unknown=(
        "有未结事件在数据库中而接警线不掌握，须重启接警线",
        "the database has an open incident that the line does not know: start the line again",
    ),
    broker_away=("消息代理不可用", "the broker is away"),
    voice_away=("语音服务不可用", "the voice worker is away"),
    telephone_stack=("电话程序不可用", "the telephone stack is away"),
    speech=("语音合成不可用", "there is no speech"),
    dispatch_not_connected=("与调度的连接中断", "dispatch is not connected"),
    unreachable=("无法访问", "cannot be reached"),
    not_configured=("未配置", "not configured"),
    away=("不可用", "away"),
)
ACTORS = _table(
    line=("接警线", "the line"),
    dispatch=("调度", "dispatch"),
    voice=("语音服务", "voice"),
    platform=("平台", "the platform"),
)


def said(table: Mapping[str, Words], code: str | None) -> Words:
    """The words of a code; a code that is not listed stands for itself, and None for "not known"."""
    if code is None:
        return Words(zh="不明", en="not known")
    return table.get(code) or Words(zh=code, en=code.replace("_", " "))


def known_of_valve(valve: str | None, proof: str | None, clearing: str | None) -> Words:
    """What is known of a valve in one line: reported, seen to hold, and whether the room clears; unknown parts are left out."""
    told = [said(VALVE_KNOWLEDGE, valve)]
    told += [said(PROOFS, proof)] if proof not in (None, "none") else []
    told += [said(CLEARINGS, clearing)] if clearing not in (None, "unknown") else []
    return Words(zh="；".join(words.zh for words in told), en="; ".join(words.en for words in told))
