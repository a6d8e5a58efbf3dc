"""Set-points of the line. Every one is a default that may be configured; none is a constant in the code."""

from pydantic import Field

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
