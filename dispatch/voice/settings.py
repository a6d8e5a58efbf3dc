"""What the voice worker is told at its start. Refuses a simulated line that is not on loopback."""

import re
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from core.settings import ProcessSettings
from dispatch.voice.route import is_loopback

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?")

_LONGEST_SOCKET: Final = 107
"""Bytes of a unix socket's path that the kernel takes."""


class VoiceSettings(ProcessSettings):
    """Lines, limits and voice of the telephone."""

    voice_socket: Path = Field(Path("voice.sock"), description="unix socket between dispatch and this worker / 与调度的套接字")
    sim_sip_proxy: str = Field("", description="host:port of the simulated telephones, loopback only / 模拟电话地址，仅限本机")
    sip_trunk: str = Field("", description="host[:port] of the telephone trunk, empty = none / 语音中继地址")
    sip_trunk_user: str = Field("", description="digest user at the trunk / 中继用户名")
    sip_trunk_password: SecretStr = Field(SecretStr(""), description="its password / 中继密码")
    sip_trunk_transport: Literal["udp", "tcp", "tls"] = Field("udp", description="transport to the trunk / 中继传输方式")
    sip_caller: str = Field("95158", description="number that the called person sees / 主叫号码")
    max_concurrent_calls: int = Field(100, ge=1, le=1000, description="calls at once / 最大并发呼叫数")
    setup_s: float = Field(20.0, gt=0, description="seconds to wait for ringing before giving up / 等待振铃秒数")
    lead_in_s: float = Field(0.3, ge=0, description="silence between answer and first word / 接通后静默秒数")
    sentence_gap_s: float = Field(0.15, ge=0, description="silence between sentences / 句间停顿秒数")
    pass_gap_s: float = Field(2.0, ge=0, description="silence between two passes, for a key / 两遍之间停顿秒数")
    speech_rate_zh: int = Field(200, ge=80, le=300, description="words a minute of the Chinese voice / 中文语速")
    recordings_dir: Path | None = Field(None, description="folder of what was said on each call, empty = none / 通话播报录音目录")
    recordings_max_count: int = Field(2000, ge=1, description="recordings kept, the oldest go first / 录音保留数量上限")
    recordings_max_bytes: int = Field(500_000_000, ge=1_000_000, description="bytes of all recordings / 录音总字节上限")
    speech_rate_en: int = Field(175, ge=80, le=300, description="words a minute of the English voice / 英文语速")

    @field_validator("recordings_dir", mode="before")
    @classmethod
    def _none_when_empty(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.sim_sip_proxy and not is_loopback(self.sim_sip_proxy):
            raise ValueError(
                f"SIM_SIP_PROXY must be a literal loopback address with a port, not {self.sim_sip_proxy!r}"
                " / 模拟电话地址只能是带端口的本机回环地址"
            )
        if len(bytes(self.voice_socket)) > _LONGEST_SOCKET:
            raise ValueError(f"VOICE_SOCKET is over {_LONGEST_SOCKET} bytes long / 套接字路径过长: {self.voice_socket}")
        if self.sip_trunk and (not _HOST.fullmatch(self.sip_trunk) or "sim.invalid" in self.sip_trunk.lower()):
            raise ValueError(f"SIP_TRUNK must be host or host:port, not {self.sip_trunk!r} / 中继地址应为 主机 或 主机:端口")
        if self.sip_trunk and self.sip_trunk == self.sim_sip_proxy:
            raise ValueError("SIP_TRUNK and SIM_SIP_PROXY are the same / 真实中继与模拟电话不能是同一地址")
        return self
