"""The types that the pages are checked against are those of the API as it is."""

from pathlib import Path

import pytest

from deploy import pages


@pytest.mark.skipif(not (pages.WEB / "node_modules").is_dir(), reason="the pages' packages are not installed: run 'make setup'")
def test_the_committed_types_are_those_of_the_api(tmp_path: Path) -> None:
    fresh = tmp_path / "schema.d.ts"
    pages.write_types(fresh)
    # To be mended with: python -m deploy.pages --types
    assert fresh.read_text(encoding="utf-8") == pages.TYPES.read_text(encoding="utf-8")
