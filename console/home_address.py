"""The address of a home in both languages, from a row that has its parts. Pure."""

from console.store import Row
from console.vocabulary import Words
from core.registry.address import address


class _Parts:
    """The parts of an address, of a row of a home."""

    def __init__(self, row: Row) -> None:
        self.district_code: str = row["district_code"]
        self.district: str = row["district"]
        self.estate: str = row["estate"]
        self.building: str = row["building"]
        self.unit: str = row["unit"]
        self.room: str = row["room"]


def home_address(row: Row) -> Words:
    """The address; empty where the row was joined with no home."""
    if row["district_code"] is None:
        return Words(zh="", en="")
    parts = _Parts(row)
    return Words(zh=address(parts, "zh"), en=address(parts, "en"))
