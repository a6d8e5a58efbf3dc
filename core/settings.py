"""What every process must be told at its start: one frozen object, read once from ``GAS_SENTINEL_*``.

Each station extends :class:`ProcessSettings` with its own set-points in its own ``settings.py``.
"""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.clock import SystemClock


class ProcessSettings(BaseSettings):
    """Connections and clock, the same for every process of one platform."""

    model_config = SettingsConfigDict(env_prefix="GAS_SENTINEL_", frozen=True, extra="ignore")

    mqtt_host: str = Field("127.0.0.1", description="broker address / 消息代理地址")
    mqtt_port: int = Field(1883, description="broker port / 消息代理端口")
    mqtt_username: str = Field("", description="station account at the broker / 站点账号")
    mqtt_password: SecretStr = Field(SecretStr(""), description="its password / 账号密码")
    postgres_dsn: SecretStr = Field(SecretStr(""), description="PostgreSQL connection string / 数据库连接串")
    language: Literal["zh", "en"] = Field("zh", description="language of calls and notices / 语音与通知语言")
    clock_rate: float = Field(1.0, gt=0, description="declared speed of the platform's clock / 平台时钟倍率")
    clock_epoch_ms: int | None = Field(None, description="real Unix ms when the scaled clock started / 倍率时钟起点")
    observe_port: int = Field(0, description="loopback port of /metrics and /health, 0 = none / 监测端口")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="log level / 日志级别")

    def clock(self) -> SystemClock:
        """The clock that these settings declare."""
        return SystemClock(self.clock_rate, self.clock_epoch_ms)
