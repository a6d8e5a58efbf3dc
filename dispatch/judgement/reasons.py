"""Why something was refused: a closed list of codes, each said in Chinese and in English."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its code and its wording in both languages."""

    code: str
    zh: str
    en: str


_WORDING: Final[dict[str, tuple[str, str]]] = {
    "not_assigned": ("抢修单还没有派给抢修队", "the order has not been assigned to a crew yet"),
    "already_assigned": ("抢修单已经派出", "the order is already assigned"),
    "not_accepted": ("请先接单", "accept the order first"),
    "already_accepted": ("抢修单已经接单", "the order is already accepted"),
    "not_on_site": ("请先登记到场", "report on site first"),
    "already_on_site": ("已经登记到场", "already reported on site"),
    "not_made_safe": ("请先登记已控制", "report made safe first"),
    "already_made_safe": ("已经登记已控制", "already reported made safe"),
    "no_cause": ("请先登记泄漏原因", "record the cause first"),
    "cause_known": ("原因已经登记", "the cause is already recorded"),
    "no_passed_test": ("严密性试验还没有通过", "no tightness test has been passed yet"),
    "already_restored": ("已经复气", "gas is already restored"),
    "archived": ("抢修单已经归档", "the order is archived"),
    "not_for_this_order": ("这类抢修单没有这一步", "orders of this kind have no such step"),
    "made_safe_stays": ("现场已经控制，抢修单由原队完成", "the place was made safe: the crew on it finishes the order"),
    "test_not_a_number": ("压力或时间不是有效数值", "a pressure or the duration is not a number"),
    "test_too_short": ("稳压时间不足", "the test was too short"),
    "test_pressure_too_low": ("起始压力不足", "the start pressure was too low"),
    "test_pressure_fell": ("压降超过允许值", "the pressure fell by more than is allowed"),
    "test_pressure_rose": ("压力上升：请检查上游阀门和压力表", "the pressure rose: check the upstream valve and the gauge"),
    "valve_not_open": ("表阀还没有由现场人员打开", "the meter's valve has not been opened on site"),
    "restore_first": ("阀门已经打开：请先登记复气再归档", "the valve is open: report gas restored before archiving"),
    "reading_not_safe": ("浓度读数不在安全范围，不能登记已控制", "the reading is not safe: the place cannot be reported made safe"),
    "reason_wanted": ("未发现泄漏时必须写明原因", "'no leak found' needs its reason in the note"),
    "not_then": ("这一步的时间不可信：早于建单，或晚于现在", "that time cannot be true: before the order was made, or still to come"),
    "leak_since_then": ("此后又有泄漏报警：请重新检测", "it has leaked again since then: measure anew"),
    "leak_during_test": (
        "试验开始之后又有泄漏报警：请重新稳压，从头试验",
        "it has leaked again since the test was begun: begin the test anew",
    ),
    "later_test_known": ("已有更晚的严密性试验记录", "a later tightness test is on record already"),
    "no_such_order": ("没有这张抢修单", "there is no such order"),
    "no_such_task": ("没有这项任务，或已经完成", "there is no such task, or it is done already"),
    "no_such_crew": ("没有这支抢修队", "there is no such crew"),
    "not_your_crew": ("您不在这支抢修队里", "you are not a technician of that crew"),
    "no_order_under_way": ("该抢修队没有已接的抢修单：不登记位置", "that crew has accepted no order: its position is not taken"),
    "off_shift": ("该抢修队不当班：不登记位置", "that crew is not on shift: its position is not taken"),
    "not_your_order": ("您不在这张抢修单的抢修队里", "you are not a technician of the crew that has this order"),
    "crew_not_free": (
        "该抢修队现在不能派：没有这个队、不当班、无人、手上有单，或与住户一真一模拟",
        "that crew cannot be sent now: it is not known, off duty, unmanned, on another order, or simulated where the home is not",
    ),
    "no_other_crew": ("没有其他可派的抢修队", "there is no other crew to send"),
    "bad_request": ("请求内容不完整或不正确", "the request is incomplete or wrong"),
    "failed_here": ("系统处理失败，请联系值班工程师", "this could not be carried out here: tell the engineer on duty"),
    "unknown_kind": ("没有这种请求", "there is no such request"),
}

REASONS: Final[dict[str, Reason]] = {code: Reason(code, zh, en) for code, (zh, en) in _WORDING.items()}
