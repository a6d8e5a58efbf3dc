"""Words for the person at the terminal: one language at a time, notes on stderr, results on stdout."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.errors import RegistryError, UserError

Language = Literal["zh", "en"]
_SHOWN_PROBLEMS = 20


def spoken_language(environment: Mapping[str, str] | None = None) -> Language:
    """Chinese where the machine speaks it (LC_ALL, LC_MESSAGES, LANG start with ``zh``), else English."""
    environment = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    return "en"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Says things to a person in his language."""

    language: Language
    quiet: bool = False

    def say(self, zh: str, en: str) -> None:
        """A note on stderr; nothing when quiet."""
        if not self.quiet:
            self._write(zh, en)

    def warn(self, zh: str, en: str) -> None:
        """A note on stderr that is shown even when quiet."""
        self._write(zh, en)

    def refuse(self, error: UserError | RegistryError) -> None:
        """Why it cannot be done, and what to do about it."""
        if isinstance(error, UserError):
            self._write(f"无法继续：{error.zh}", f"cannot go on: {error.en}")
            return
        count = len(error.problems)
        self._write(f"文件未导入，共 {count} 处错误：", f"nothing was imported, {count} problem(s):")
        for problem in error.problems[:_SHOWN_PROBLEMS]:
            self._write(f"  第 {problem.line} 行：{problem.zh}", f"  line {problem.line}: {problem.en}")
        if count > _SHOWN_PROBLEMS:
            self._write(f"  另有 {count - _SHOWN_PROBLEMS} 处", f"  and {count - _SHOWN_PROBLEMS} more")

    def _write(self, zh: str, en: str) -> None:
        sys.stderr.write((zh if self.language == "zh" else en) + "\n")
        sys.stderr.flush()


def result(text: str) -> None:
    """One line on stdout, for programs and people alike."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
