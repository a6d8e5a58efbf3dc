"""The page on importing tells every column, role and flag that the import takes, and no other."""

from core.ids import CANARY_HOME, RESERVED_ACCOUNTS, RESERVED_PREFIXES
from core.registry.home_row import HOME_COLUMNS
from core.registry.model import DATUMS, FLAGS, ROLES
from simulator.city.crews import COLUMNS as CREW_COLUMNS
from tests.docs.reading import DOCS, table_after

PAGE = (DOCS / "how-to" / "import-homes-and-crews.md").read_text(encoding="utf-8")


def test_the_columns_of_homes() -> None:
    assert tuple(row[0].strip("`") for row in table_after(PAGE, "table: homes")) == HOME_COLUMNS


def test_the_columns_of_crews() -> None:
    assert tuple(row[0].strip("`") for row in table_after(PAGE, "table: crews")) == CREW_COLUMNS


def test_the_closed_lists() -> None:
    assert [word for word in (*ROLES, *FLAGS, *DATUMS) if f"`{word}`" not in PAGE] == []


def test_the_reserved_names() -> None:
    assert [name for name in (*RESERVED_ACCOUNTS, CANARY_HOME, *RESERVED_PREFIXES) if f"`{name}`" not in PAGE] == []
