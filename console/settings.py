"""What the console must be told at its start: where to listen, whom to ask for health, how long people stay signed in, what links let in.

Decides one thing: without TLS there is no origin but this machine's own.
"""

import ipaddress
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator

from core.settings import ProcessSettings


class ConsoleSettings(ProcessSettings):
    """``GAS_SENTINEL_*`` of the console."""

    http_host: str = Field("127.0.0.1", description="loopback address to serve on without TLS / 无 TLS 的监听地址（仅限本机）")
    http_port: int = Field(8080, ge=0, le=65535, description="port, 0 = a free one / 端口，0 为任意空闲端口")
    https_host: str = Field("127.0.0.1", description="address to serve on with TLS / TLS 监听地址")
    https_port: int = Field(8443, ge=0, le=65535, description="port with TLS, 0 = a free one / TLS 端口")
    tls_cert: Path | None = Field(None, description="certificate chain, PEM; none = no TLS / TLS 证书链文件")
    tls_key: Path | None = Field(None, description="its private key, PEM / 私钥文件")
    http_names: str = Field(
        "", description="names it is reached by beside the certificate's, comma-separated / 证书之外的访问域名，逗号分隔"
    )
    line_health_url: str = Field("", description="health endpoint of the line / 接警线健康检查地址")
    dispatch_health_url: str = Field("", description="health endpoint of dispatch / 调度健康检查地址")
    voice_health_url: str = Field("", description="health endpoint of the voice worker / 语音健康检查地址")
    answer_wait_s: float = Field(5.0, gt=0, le=30, description="how long a request waits for its station, s / 等待站点答复的秒数")
    heartbeat_s: float = Field(2.0, gt=0, le=30, description="heartbeat of the event stream, s / 事件流心跳秒数")
    stream_clients_max: int = Field(200, gt=0, description="event stream clients at once / 事件流客户端上限")
    stream_queue_max: int = Field(500, gt=0, description="events held for one slow client / 每个客户端的待发事件上限")
    session_hours: float = Field(12.0, gt=0, le=24, description="longest time signed in, h / 登录最长时长（小时）")
    desk_idle_minutes: float = Field(
        30.0, ge=15, le=720, description="a desk that nobody touches is signed out after, min / 工作台无人操作退出（分钟）"
    )
    requests_per_s: float = Field(60.0, gt=0, description="requests a second that one may go on making / 每个登录每秒请求上限")
    platform_token: SecretStr = Field(SecretStr(""), description="API token of what the platform itself runs here / 平台自用接口令牌")
    setup_link: SecretStr = Field(SecretStr(""), description="lets the first user in, while there is none / 首个用户的开通口令")
    demo_link: SecretStr = Field(SecretStr(""), description="demonstration: lets anybody at this machine in / 演示模式登录口令")
    demo_control_url: str = Field("", description="control port of the simulated district, loopback / 模拟片区控制地址")
    recordings_dir: Path | None = Field(None, description="folder of recorded calls; none = no recordings / 通话录音目录")
    map_file: Path | None = Field(None, description="GeoJSON of the districts; none = points only / 行政区边界文件")

    @field_validator("http_host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        name = "127.0.0.1" if host == "localhost" else host
        if not ipaddress.ip_address(name).is_loopback:
            raise ValueError("without TLS the console serves on loopback only / 没有 TLS 时控制台只能监听本机地址")
        return name

    @field_validator("tls_cert", "tls_key", "map_file", "recordings_dir", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _both_or_none(self) -> "ConsoleSettings":
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together / TLS 证书与私钥须同时给出")
        return self
