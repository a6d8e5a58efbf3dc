"""The set-up script: what it says to a Python that is too old, and that such a Python can read it at all."""

import ast
from pathlib import Path

import pytest

from deploy import setup_env
from deploy.setup_env import version_problem


@pytest.mark.parametrize("version", [(3, 11), (3, 11, 7), (3, 12, 0), (3, 14, 1), (4, 0, 0)])
def test_a_new_enough_python_is_no_problem(version: tuple[int, ...]) -> None:
    assert version_problem(version) is None


@pytest.mark.parametrize(("version", "shown"), [((3, 9, 2), "3.9"), ((3, 10, 12), "3.10"), ((2, 7, 18), "2.7")])
def test_a_too_old_python_is_named_with_what_to_do(version: tuple[int, ...], shown: str) -> None:
    problem = version_problem(version)
    assert problem is not None
    zh, en = problem
    assert en.startswith(f"Python 3.11 or newer is needed, this is {shown}: install python3.11")
    assert shown in zh
    assert "python3.11" in zh
    assert "\n" not in zh + en


def test_an_old_python_can_read_the_script() -> None:
    # 3.7 is the oldest grammar that this Python can check by.
    ast.parse(Path(setup_env.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_broken_folder_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("", encoding="utf-8")
    monkeypatch.setattr(setup_env, "CACHE", str(in_the_way / "cache"))
    monkeypatch.setenv("LC_ALL", "C")
    assert setup_env.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("cannot go on: ")
    assert said.count("\n") == 1


def test_a_failing_step_says_its_last_error_and_where_the_rest_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup_env, "LOG", str(tmp_path / "setup.log"))
    with pytest.raises(setup_env.RefusalError) as refused:
        setup_env.run(["/bin/sh", "-c", "echo ERROR: no such wheel; echo and more; exit 1"], ("安装", "installing"))
    assert refused.value.en == f"installing failed: ERROR: no such wheel (all output is in {tmp_path}/setup.log)"
    assert "and more" in (tmp_path / "setup.log").read_text(encoding="utf-8")
