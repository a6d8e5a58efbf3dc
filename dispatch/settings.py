"""Set-points of dispatch: every figure is a default in configuration, never a constant in code. Decides nothing."""

from pathlib import Path

from pydantic import Field, field_validator

from core.settings import ProcessSettings
from dispatch.judgement.ladder_state import LadderPoints
from dispatch.judgement.tightness import TightnessRule


class DispatchSettings(ProcessSettings):
    """Calls, crews, orders and the tightness test."""

    state_dir: Path | None = Field(None, description="folder of the journal of calls under way, empty = none / 呼叫日志目录")
    journal_max_bytes: int = Field(64_000_000, ge=1_000_000, description="largest size of that journal, bytes / 呼叫日志上限字节")
    voice_socket: Path = Field(Path("voice.sock"), description="unix socket of the voice worker / 语音进程的套接字")

    max_concurrent_calls: int = Field(100, ge=1, le=1000, description="calls at once, as the voice worker has it / 最大并发呼叫数")
    exercise_most_calls: int | None = Field(
        None, ge=1, description="exercise only: *simulated* calls beyond so many at once are dropped / 演练:超出此数的模拟呼叫丢弃"
    )
    ring_s: float = Field(30.0, gt=0, le=120, description="ring time of one call, s / 单次振铃秒数")
    call_max_s: float = Field(90.0, gt=0, le=90, description="longest call, s / 单次通话上限秒数")
    call_again_after_s: float = Field(65.0, ge=0, description="from one call to the next to one number, s / 同一号码再次呼叫间隔秒数")
    calls_an_hour: int = Field(5, ge=1, description="calls an hour to one number / 同一号码每小时呼叫上限")
    call_breath_s: float = Field(10.0, ge=0, description="from the end of a call to the next to that number, s / 挂断后再呼间隔秒数")
    call_heard_s: float = Field(3.0, ge=0, description="speech after which a hang-up counts as heard, s / 挂断算已听到的播报秒数")
    call_retry_s: float = Field(2.0, gt=0, description="wait while no telephone line is there, s / 无线路时重试秒数")
    human_after_s: float = Field(90.0, ge=0, description="nobody confirmed: a task for the desk after, s / 无人确认转人工秒数")
    calling_over_after_s: float = Field(7200.0, gt=0, description="a ladder ends unconfirmed after, s / 呼叫总时限秒数")

    confirmed_holds_s: float = Field(600.0, ge=0, description="who confirmed is not rung for a new leak within, s / 确认后免呼秒数")

    canary_call_s: float = Field(20.0, gt=0, description="the canary's call must be over within, real s / 自检呼叫时限秒数")
    canary_kept_days: float = Field(7.0, gt=0, description="rows of the canary are kept so many days / 自检记录保留天数")

    accept_s: float = Field(60.0, gt=0, description="an assigned order must be accepted within, s / 接单时限秒数")
    revisit_after_s: float = Field(7200.0, gt=0, description="no access: revisit due after, s / 到访不遇复访秒数")
    look_s: float = Field(5.0, gt=0, description="how often waiting orders are looked at, s / 待派抢修单巡查秒数")
    safe_reading_lel: float = Field(
        10.0, gt=0, le=25, description="made safe needs a reading below, %LEL (default, trade knowledge) / 已控制的读数上限"
    )

    tightness_minutes: float = Field(3.0, gt=0, description="shortest tightness test, min (default, trade knowledge) / 严密性试验最短分钟")
    tightness_start_kpa: float = Field(2.0, gt=0, description="lowest start pressure, kPa (default, trade knowledge) / 试验起始压力下限")
    tightness_drop_kpa: float = Field(0.0, ge=0, description="allowed drop, kPa (default, trade knowledge) / 允许压降")
    gauge_resolution_kpa: float = Field(0.05, ge=0, description="step of the gauge, kPa (default, trade knowledge) / 压力表分度")

    poll_s: float = Field(1.0, gt=0, description="how often outbox and requests are read without a notice, real s / 轮询秒数")
    inbox_window: int = Field(1000, ge=2, le=65535, description="messages of the line taken at once / 同时接收的消息上限")

    @field_validator("state_dir", mode="before")
    @classmethod
    def _none_when_empty(cls, value: object) -> object:
        return None if value == "" else value

    def ladder_points(self) -> LadderPoints:
        """The call ladder's set-points."""
        return LadderPoints(
            again_after_ms=_ms(self.call_again_after_s),
            an_hour=self.calls_an_hour,
            breath_ms=_ms(self.call_breath_s),
            heard_s=self.call_heard_s,
            retry_ms=_ms(self.call_retry_s),
            human_after_ms=_ms(self.human_after_s),
            over_after_ms=_ms(self.calling_over_after_s),
            confirmed_holds_ms=_ms(self.confirmed_holds_s),
        )

    def tightness_rule(self) -> TightnessRule:
        """The tightness test's set-points."""
        return TightnessRule(self.tightness_minutes, self.tightness_start_kpa, self.tightness_drop_kpa, self.gauge_resolution_kpa)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
