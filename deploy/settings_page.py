"""Every setting of every station as an annotated list of environment variables. Knows no value's meaning; secrets are masked."""

from collections.abc import Iterator

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from core.settings import ProcessSettings

PREFIX = "GAS_SENTINEL_"


def settings_page() -> Iterator[str]:
    """Lines in the form of an environment file: what all processes share first, then what each adds."""
    from alarm_engine.settings import LineSettings
    from console.settings import ConsoleSettings
    from dispatch.settings import DispatchSettings
    from dispatch.voice.settings import VoiceSettings

    stations: tuple[tuple[str, type[BaseSettings]], ...] = (
        ("every process / 所有进程", ProcessSettings),
        ("the line (gateway and alarm engine) / 接警线", LineSettings),
        ("dispatch / 调度", DispatchSettings),
        ("the voice worker / 语音", VoiceSettings),
        ("the console / 控制台", ConsoleSettings),
    )
    shown: set[str] = set()
    for title, kind in stations:
        yield f"# --- {title}"
        present = kind()
        for name, field in kind.model_fields.items():
            if name in shown:
                continue
            shown.add(name)
            yield f"# {field.description or name}"
            yield f"{PREFIX}{name.upper()}={_shown(getattr(present, name))}"
        yield ""


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return "" if value is None else str(value)
