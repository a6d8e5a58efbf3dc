"""The district's process refuses what it cannot live with, in one line and with an exit status."""

import subprocess
import sys
from pathlib import Path

import pytest


def started(platform: Path, language: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "simulator.district", "--platform", str(platform), "--language", language]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("language", "said"), [("en", "cannot be read"), ("zh", "无法读取平台文件")])
def test_a_missing_platform_file_is_named(tmp_path: Path, language: str, said: str) -> None:
    ended = started(tmp_path / "nowhere.json", language)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_platform_file_that_lacks_its_doors_is_refused(tmp_path: Path) -> None:
    platform = tmp_path / "platform.json"
    platform.write_text("{}", encoding="utf-8")
    ended = started(platform, "en")
    assert ended.returncode == 1
    assert "mqtt, postgres, http, sim_sip" in ended.stderr
