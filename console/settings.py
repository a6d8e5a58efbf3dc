"""What the console must be told at its start: where to listen, whom to ask for health, how much to hold for slow clients."""

import ipaddress

from pydantic import Field, field_validator

from core.settings import ProcessSettings


class ConsoleSettings(ProcessSettings):
    """``GAS_SENTINEL_*`` of the console. There are no users or roles yet, so that it binds to loopback only."""

    http_host: str = Field("127.0.0.1", description="loopback address to serve on / 监听地址（仅限本机）")
    http_port: int = Field(8080, ge=0, le=65535, description="port, 0 = a free one / 端口，0 为任意空闲端口")
    line_health_url: str = Field("", description="health endpoint of the line / 接警线健康检查地址")
    dispatch_health_url: str = Field("", description="health endpoint of dispatch / 调度健康检查地址")
    voice_health_url: str = Field("", description="health endpoint of the voice worker / 语音健康检查地址")
    answer_wait_s: float = Field(5.0, gt=0, le=30, description="how long a request waits for its station, s / 等待站点答复的秒数")
    heartbeat_s: float = Field(2.0, gt=0, le=30, description="heartbeat of the event stream, s / 事件流心跳秒数")
    stream_clients_max: int = Field(200, gt=0, description="event stream clients at once / 事件流客户端上限")
    stream_queue_max: int = Field(500, gt=0, description="events held for one slow client / 每个客户端的待发事件上限")

    @field_validator("http_host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        name = "127.0.0.1" if host == "localhost" else host
        if not ipaddress.ip_address(name).is_loopback:
            raise ValueError("the console has no users yet and serves on loopback only / 控制台尚无用户权限，只能监听本机地址")
        return name
