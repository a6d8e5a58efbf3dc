"""README and its Chinese twin tell the same: as many headings in the same order of depth, the same commands, the same links."""

import re

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from tests.docs.reading import ROOT, blocks, headings, links

ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")

COMMANDS = [tuple(found.split()) for found in re.findall(r"^\| `gas-sentinel ((?:[a-z]+ ?)+)", ENGLISH, flags=re.MULTILINE)]
"""What stands in the table of commands, without arguments."""


def test_both_have_the_same_headings() -> None:
    assert [level for level, _ in headings(ENGLISH)] == [level for level, _ in headings(CHINESE)]


def test_both_have_the_same_code_blocks() -> None:
    """What a command printed, or what a folder holds (``text``), is in each one's own language; as many lines of it in both."""
    english, chinese = (
        [(block.language, block.text.count("\n") if block.language == "text" else block.text) for block in blocks(text)]
        for text in (ENGLISH, CHINESE)
    )
    assert english == chinese


def test_both_link_to_the_same_places() -> None:
    other = {"README.md", "README.zh.md"}
    # A picture of a page is taken in the language of whoever reads.
    chinese = {target.replace(".zh.jpg", ".jpg") for target in links(CHINESE)}
    assert set(links(ENGLISH)) - other == chinese - other


def test_each_leads_to_the_other() -> None:
    assert "README.zh.md" in links(ENGLISH)
    assert "README.md" in links(CHINESE)


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = {line.split()[1] for block in blocks(ENGLISH) for line in block.text.splitlines() if line.startswith("make ")}
    assert {"run", "test"} <= wanted
    assert [target for target in wanted if f"\n{target}:" not in f"\n{makefile}"] == []


def test_the_browser_is_looked_for_when_all_other_tests_have_run() -> None:
    """Where there is none and none can be unpacked, nothing but the browser tests is missing."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ntest: setup\n")[2].partition("\nelse\n")[0]
    steps = [line.rsplit("python -m ", 1)[1] for line in recipe.splitlines() if "python -m " in line]
    assert steps[-2] == "tests.browser.chromium"
    assert steps[-1].endswith("tests/browser")
    assert any(step.endswith("tests/scenarios") for step in steps[:-2])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_commands_of_the_readme_are_there(command: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, [*command, "--help"])
    assert said.exit_code == 0, said.output
