"""What the technician's phone must know of dispatch's set-points, to say before what the station will say after.

Decides nothing: dispatch judges every reading and every test by its own settings, which are read here from the same variables.
"""

from functools import cache
from typing import Self

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatch.settings import DispatchSettings


class FieldRules(BaseModel):
    """Set-points of the work at the door. Pressures in kPa, methane in %LEL."""

    safe_reading_lel: float = Field(description="made safe, and going in, need a reading below, %LEL")
    tightness_minutes: float = Field(description="a tightness test lasts at least, min")
    tightness_start_kpa: float = Field(description="from at least, kPa")
    tightness_drop_kpa: float = Field(description="the pressure falls by at most this and one step of the gauge, kPa")
    gauge_resolution_kpa: float = Field(description="one step of the gauge, kPa; it rises by no more than that")

    @classmethod
    def of(cls, settings: DispatchSettings) -> Self:
        """Those of dispatch's settings."""
        rule = settings.tightness_rule()
        return cls(
            safe_reading_lel=settings.safe_reading_lel,
            tightness_minutes=rule.minutes,
            tightness_start_kpa=rule.start_kpa,
            tightness_drop_kpa=rule.drop_kpa,
            gauge_resolution_kpa=rule.resolution_kpa,
        )


class FieldSettings(BaseSettings):
    """``GAS_SENTINEL_*`` of the technician's page."""

    model_config = SettingsConfigDict(env_prefix="GAS_SENTINEL_", frozen=True, extra="ignore")

    desk_phone: str = Field("95158", max_length=32, description="the desk's number, for a technician without reception / 值班电话")


@cache
def rules() -> FieldRules:
    """Of the settings that this platform was started with."""
    return FieldRules.of(DispatchSettings())


@cache
def desk_phone() -> str:
    """The number that a technician without reception rings."""
    return FieldSettings().desk_phone
