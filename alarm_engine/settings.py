"""Set-points of the line. Every one is a default that may be configured; none is a constant in the code."""

from pydantic import Field, SecretStr

from core.settings import ProcessSettings


class LineSettings(ProcessSettings):
    """Settings of the line (gateway and alarm engine, one process)."""

    travel_time_s: float = Field(15.0, gt=0, description="accepted close: longest valve travel / 阀门行程时限")
    longest_resend_s: float = Field(60.0, gt=0, description="longest wait between re-sends of one close / 重发最长间隔")
    open_expires_s: float = Field(60.0, gt=0, le=60, description="an open must be confirmed at the meter within / 开阀确认时限")
    open_heard_within_s: float = Field(10.0, gt=0, le=10, description="an open goes only to a meter heard within / 开阀前通信时限")
    leak_again_every_s: float = Field(10.0, ge=0, description="shortest time between notes of a lasting leak / 持续泄漏记录间隔")
    batch_rows: int = Field(500, gt=0, description="readings written at once / 批量写入条数")
    batch_wait_s: float = Field(0.2, gt=0, description="longest wait of a reading for its batch / 批量最长等待")
    buffered_readings: int = Field(100_000, gt=0, description="readings held while the database is away / 读数缓冲上限")
    oldest_reading_days: int = Field(31, gt=0, description="older device times go to quarantine / 最早时间")
    future_reading_s: float = Field(86_400.0, ge=0, description="device times further ahead go to quarantine / 最大超前")
    unprocessed_alarm_red_s: float = Field(5.0, gt=0, description="health is red when an alarm waits longer / 报警滞留红线")
    broker_access_control: bool = Field(
        True, description="the broker keeps accounts to their own topics; without it only simulated valves open / 消息代理有访问控制"
    )
    exercise_set_point_lel: float | None = Field(
        None, ge=0, description="exercise only: set-point of every *simulated* home / 演练:模拟住户报警设定值"
    )
    exercise_hub_loss_unseen: bool = Field(
        False, description="exercise only: a lost hub says nothing of the *simulated* homes behind it / 演练:集中器断线不计其下模拟住户"
    )
    exercise_payment_lifts_safety: bool = Field(
        False, description="exercise only: a payment lifts the safety hold of a *simulated* home / 演练:模拟住户缴费即解除安全保持"
    )
    exercise_nobody_sleeps: bool = Field(
        False, description="exercise only: *simulated* meters in power-saving mode count as listening / 演练:模拟省电燃气表视为常在线"
    )
    report_interval_s: float = Field(900.0, gt=0, description="reporting interval of a device that names none / 默认上报间隔")
    psm_report_interval_s: float = Field(86_400.0, gt=0, description="the same for one in power-saving mode / 省电模式默认上报间隔")
    silent_after_intervals: float = Field(3.0, ge=1, description="a device is silent after so many intervals / 失联判定间隔数")
    blind_after_preheat_s: float = Field(300.0, gt=0, description="preheat that lasts longer is blind / 预热超过此时长视为失效")
    building_dark_homes: int = Field(5, gt=1, description="homes without mains at once that are one power cut / 整栋掉电户数")
    building_dark_within_s: float = Field(60.0, gt=0, description="at once means within / 整栋掉电判定时限")
    watch_every_s: float = Field(5.0, gt=0, description="real seconds between two looks of the watchman / 巡视间隔")
    watch_grace_s: float = Field(10.0, gt=0, description="real seconds before a missing order or call counts / 巡视宽限")
    canary_detector_password: SecretStr = Field(SecretStr(""), description="account canary-detector; empty = no canary / 自检探测器口令")
    canary_meter_password: SecretStr = Field(SecretStr(""), description="account canary-meter; empty = no canary / 自检燃气表口令")
    canary_every_s: float = Field(60.0, gt=0, description="real seconds between two rounds of the canary / 自检间隔")
    canary_kept_days: float = Field(7.0, gt=0, description="rows of the canary are kept so many days / 自检记录保留天数")
    canary_red_s: float = Field(180.0, gt=0, description="health is red when its last full round is older / 自检超时红线")
    flood_items_per_s: float = Field(
        10.0, gt=0, description="alarm items a second, per device an account serves; more is a flood / 报警洪泛门限（每台每秒）"
    )
    state_dir: str = Field("", description="folder of the journal and the snapshot; empty = none, the database alone / 本地状态目录")
    journal_max_mb: int = Field(256, gt=0, description="most that the journal may take on disk / 本地日志上限（MB）")
    snapshot_every_s: float = Field(5.0, gt=0, le=5, description="real seconds between two snapshots / 快照间隔")
    release_after_s: float = Field(2.0, gt=0, le=2, description="longest wait before the broker is answered / 最迟确认时限")
    leak_by_m3h: float = Field(0.03, gt=0, description="smallest leak-by of a closed valve that shall be seen, m³/h / 最小可查内漏量")
    default_register_step_m3: float = Field(0.01, gt=0, description="register step of a meter that names none, m³ / 默认表底数最小步长")
    proof_window_factor: float = Field(1.0, gt=0, description="exercise only: shortens the wait for proof / 演练:缩短内漏验证时间")
    clearing_within_s: float = Field(300.0, gt=0, description="a room must begin to clear within, after the close / 关阀后浓度下降时限")
