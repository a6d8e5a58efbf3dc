"""The published contract is the one in the code: schemas fresh, field tables complete, every JSON example valid."""

import json
import typing
from pathlib import Path
from types import UnionType

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.contract import schemas
from core.ids import CANARY_HOME, RESERVED_ACCOUNTS, RESERVED_PREFIXES
from core.messages import (
    CONTRACT,
    MAX_ALARM_BYTES_DEVICE,
    MAX_ALARM_BYTES_HUB,
    MAX_ITEMS,
    MAX_TELEMETRY_BYTES,
    AckResult,
    AlarmEvent,
    CommandName,
    Connectivity,
    DetectorState,
    MeterFlag,
    ValveCause,
    ValveState,
)
from core.station import STATION_MESSAGE
from tests.docs.reading import DOCS, Block, blocks, markdown_files, name, table_after

CONTRACT_PAGE = DOCS / "device-contract.md"


def _json_blocks() -> list[tuple[Path, Block]]:
    return [
        (path, block)
        for path in markdown_files()
        for block in blocks(path.read_text(encoding="utf-8"))
        if block.language in {"json", "jsonc", "json5"}
    ]


def _called(value: tuple[Path, Block]) -> str:
    return f"{name(value[0])}:{value[1].line}"


def test_the_committed_schemas_are_those_of_the_models() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "contract").glob("*.schema.json")}
    assert committed == schemas()


@pytest.mark.parametrize("example", _json_blocks(), ids=_called)
def test_every_json_example_is_what_it_says_it_is(example: tuple[Path, Block]) -> None:
    block = example[1]
    assert block.language == "json"
    assert block.mark is not None, "a JSON block needs <!-- example: NAME --> or <!-- counterexample: NAME --> before it"
    what, of = block.mark
    if of == "json":
        json.loads(block.text)
    elif what == "counterexample":
        with pytest.raises(ValidationError):
            _validate(of, block.text)
    else:
        _validate(of, block.text)


def _validate(of: str, text: str) -> None:
    if of == "station":
        STATION_MESSAGE.validate_json(text)
        return
    model = CONTRACT[of]
    fields = set(model.model_fields)
    content = json.loads(text)
    for item in content if isinstance(content, list) else [content]:
        assert set(item) <= fields, f"an example shows fields that {of} does not have"
        TypeAdapter(model).validate_json(json.dumps(item))


@pytest.mark.parametrize("message", CONTRACT)
def test_the_contract_shows_an_example_of_every_message(message: str) -> None:
    marks = [block.mark for block in blocks(CONTRACT_PAGE.read_text(encoding="utf-8"))]
    assert ("example", message) in marks


@pytest.mark.parametrize(("message", "model"), CONTRACT.items(), ids=list(CONTRACT))
def test_the_field_tables_name_every_field_and_no_other(message: str, model: type[BaseModel]) -> None:
    rows = table_after(CONTRACT_PAGE.read_text(encoding="utf-8"), f"fields: {message}")
    common = {"ts", "boot", "seq", "device_id"} if message.startswith("up.") else set()
    told = {row[0].strip("`"): row[1] for row in rows}
    wanted = {field: info.is_required() for field, info in model.model_fields.items() if field not in common}
    assert set(told) == set(wanted)
    assert {field for field, word in told.items() if word == "yes"} == {field for field, required in wanted.items() if required}


@pytest.mark.parametrize(
    "words",
    [AckResult, AlarmEvent, CommandName, Connectivity, DetectorState, MeterFlag, ValveCause, ValveState],
    ids=["results", "events", "commands", "connectivity", "detector states", "flags", "causes", "valve states"],
)
def test_the_contract_names_every_word_of_a_closed_list(words: UnionType) -> None:
    text = CONTRACT_PAGE.read_text(encoding="utf-8")
    assert [word for word in typing.get_args(words) if f"`{word}`" not in text] == []


def test_the_contract_tells_the_limits_and_reserved_names_of_the_code() -> None:
    text = CONTRACT_PAGE.read_text(encoding="utf-8")
    assert f"{MAX_ITEMS:,}" in text
    for limit in (MAX_ALARM_BYTES_DEVICE, MAX_ALARM_BYTES_HUB, MAX_TELEMETRY_BYTES):
        assert f"{limit:,} bytes" in text
    assert [name for name in (*RESERVED_ACCOUNTS, CANARY_HOME, *RESERVED_PREFIXES) if f"`{name}`" not in text] == []
