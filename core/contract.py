"""The public JSON Schema of the device contract, written from the models so that the two cannot differ."""

import json
from pathlib import Path

from core.messages import CONTRACT


def schemas() -> dict[str, str]:
    """File name -> JSON Schema text, one file a message."""
    return {
        f"{name}.schema.json": json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}, indent=2, ensure_ascii=False
        )
        + "\n"
        for name, model in CONTRACT.items()
    }


def write_schemas(folder: Path) -> list[Path]:
    """Write all schemas into ``folder`` (made if missing); returns the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in schemas().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
