"""The points of the contract that can be seen from the platform's side, in the order in which they are told. Data and nothing else."""

from dataclasses import dataclass, field
from typing import Final, Literal

Verdict = Literal["held", "broken", "not_seen"]
For = Literal["all", "meter", "detector", "hub"]


@dataclass(frozen=True, slots=True)
class Point:
    """One sentence of the contract; ``of`` is the kind of device that it binds."""

    name: str
    zh: str
    en: str
    of: For = "all"


@dataclass(slots=True)
class Finding:
    """What was found about one point. Of several findings the worst counts; evidence is kept in both languages."""

    point: Point
    verdict: Verdict = "not_seen"
    zh: list[str] = field(default_factory=list)
    en: list[str] = field(default_factory=list)


def _points(of: For, *rows: tuple[str, str, str]) -> tuple[Point, ...]:
    return tuple(Point(name, zh, en, of) for name, zh, en in rows)


POINTS: Final[tuple[Point, ...]] = (
    *_points(
        "all",
        ("client_id", "用户名、客户端标识与账号相同", "user name and client id are the account"),
        ("clean_start", "不清除会话（clean start 关闭）", "clean start (clean session) is off"),
        ("session_expiry", "会话保留 48 小时以上", "the session is kept for 48 hours or more"),
        ("keep_alive", "心跳 120 秒以内（psm 除外）", "keep-alive is 120 s or less (psm exempt)"),
        ("will", "遗嘱：自己的状态主题，online 为 false，QoS 1，保留", "last will: own status topic, online false, QoS 1, retained"),
        ("will_sent", "掉线后代理发出遗嘱", "when it is cut off, its last will is heard"),
        ("reconnect", "掉线后自行重连", "it comes back by itself after a cut"),
        ("session_kept", "离线时下发的指令，重连后收到", "a command that was sent while it was away is waiting when it is back"),
        ("topics", "只在协议规定的主题上发布", "publishes on the topics of the contract and no others"),
        ("qos", "报警、应答、状态为 QoS 1；遥测为 0 或 1", "alarm, ack and status with QoS 1, telemetry with 0 or 1"),
        ("retain", "除状态外不保留", "nothing but status is retained"),
        ("json", "载荷是 UTF-8 JSON 对象或数组", "payloads are UTF-8 JSON objects or arrays of them"),
        ("size", "载荷与数组不超过上限", "payloads and arrays keep within their limits"),
        ("array", "数组内先旧后新", "an array is oldest first"),
    ),
    *_points("hub", ("device_id", "集中器的每条数据都写明 device_id", "every item from a hub names its device_id")),
    *_points(
        "all",
        ("status_retained", "状态为保留消息", "status is retained"),
        ("status_online", "每次连接后上报 online 为 true", "after every connect a status says online true"),
        ("status_fields", "状态各字段符合协议", "the fields of status are those of the contract"),
        ("ts", "ts 为毫秒级 UTC，与实际时间相符", "ts is UTC in milliseconds and plausible"),
        ("boot_seq", "boot 不减小，同一 boot 内 seq 不重复且递增", "boot never falls, and seq counts up without a repeat within a boot"),
        ("telemetry_fields", "遥测各字段符合协议", "the fields of telemetry are those of the contract"),
    ),
    *_points("meter", ("register", "累计量为最小步长的整数倍", "the index is in whole steps of the register")),
    *_points(
        "all",
        ("alarm_fields", "报警各字段符合协议", "the fields of an alarm are those of the contract"),
        ("alarm_repeat", "报警在收妥前原样重发", "an alarm is repeated unchanged until it is acknowledged"),
        ("alarm_rhythm", "重发间隔 5 秒起，渐增，不超过 60 秒", "it is repeated after 5 s, then after growing waits up to 60 s"),
        ("alarm_other_ack", "别的报警的 down/ack 不使其停发", "the down/ack of another alarm does not stop it"),
        ("alarm_after_cut", "重连后继续重发同一报警", "after a reconnect the same alarm is repeated"),
        ("alarm_stops", "收到 down/ack 后停发", "after its own down/ack it is not sent again"),
        (
            "answer_fields",
            "应答各字段符合协议，并照抄指令",
            "the fields of an answer are those of the contract, and copied from the command",
        ),
        ("report", "report：发一条遥测，然后答 done", "report: one item of telemetry, then done"),
        ("report_expired", "过期的 report 答 expired", "a report that has expired is answered expired"),
        ("repeat", "同一 command_id 再来：原样再答，不再执行", "a known command_id is answered again as before, and not carried out again"),
        ("self_test", "self_test 答 done 或 rejected", "self_test is answered done or rejected"),
        ("unknown_command", "不认识的指令不引起动作", "a command that it does not know moves nothing"),
        ("foreign_command", "给别的设备的指令不予理会", "a command for another device is ignored"),
    ),
    *_points("detector", ("no_valve", "阀门指令答 rejected", "a valve command is answered rejected")),
    *_points(
        "meter",
        (
            "close",
            "close_valve：accepted，到位后 done 且 valve 为 closed",
            "close_valve: accepted, then done with valve closed when it is there",
        ),
        ("close_aged", "关阀不看 expires_at", "a close is carried out whatever expires_at says"),
        ("closed_told", "关阀后遥测说 closed", "after a close the telemetry says closed"),
        ("close_repeat", "重复的关阀再答一次，不再动作", "a repeated close is answered again and not carried out again"),
        (
            "superseded",
            "order_no 小于已执行者：答 rejected 并说明",
            "a lower order_no than the last one carried out is answered rejected, with a detail",
        ),
        ("open_expired", "过期的开阀答 expired，不动作", "an open that has expired is answered expired and moves nothing"),
        ("open_unconfirmed", "无人按键不开阀，到期答 expired", "an open that nobody confirms never opens, and is answered expired"),
        (
            "open_overtaken",
            "等待按键时来了关阀：开阀答 rejected",
            "a close ends an open that waits for its key; the open is answered rejected",
        ),
        (
            "open_confirmed",
            "按键后开阀，expires_at 前答 done 且 valve 为 open",
            "when the key is pressed it opens: done with valve open before expires_at",
        ),
        ("open_after_reboot", "重启前收到的开阀，重启后不执行", "an open received before a reboot is not carried out after it"),
    ),
    *_points(
        "all",
        ("reboot_boot", "重启后 boot 增加", "a reboot raises boot"),
        ("reboot_known", "重启后仍认得以前的 command_id", "command ids are still known after a reboot"),
    ),
    *_points("meter", ("reboot_order", "重启后仍记得 order_no", "the last order_no is still known after a reboot")),
)
