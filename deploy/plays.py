"""Many scenarios one after another, a few at a time, and one table of them.

Decides what is played how often, and what each play had to show: a whole platform green, a broken one red by what its scenario names.
Every play is a process of its own, ``gas-sentinel simulate run``, with a platform of its own; nothing is shared but the machine.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from deploy.terminal import Language

UNDER_FIRE = ("storm-50", ("--kill", "line,dispatch,voice,console,broker,postgres"))
"""Played once more with these arguments: every part is killed at random all through it."""

_LIMIT_S = 3_600.0
_START_TRIES = 3
_START_PAUSE_S = 1.0
_MANY = 10
_FIGURES = ("T2_T3", "T2_T6a", "T2_T8")


@dataclass(frozen=True, slots=True)
class Play:
    """One scenario to be played; ``broken``: with its broken setting, and then it has to turn red."""

    name: str
    broken: bool = False
    arguments: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How it is called in progress lines and files."""
        return f"{self.name}{' --broken' if self.broken else ''}{' --kill' if self.arguments else ''}"


def the_plays(names: Sequence[str], *, short: bool, broken: bool) -> list[Play]:
    """What is to be played: these scenarios, or all, or the short set; with ``broken`` each of them a second time.

    Where none are named, the storm is played again with every part killed at random.

    Raises UserError for a name that there is not.
    """
    from simulator.scenarios import load
    from simulator.scenarios import names as all_names

    chosen = [load(name) for name in names or all_names()]
    if short:
        chosen = [scenario for scenario in chosen if scenario.short]
    plays = [Play(scenario.name, again) for scenario in chosen for again in ((False, True) if broken else (False,))]
    storm, arguments = UNDER_FIRE
    return plays if names else [*plays, Play(storm, arguments=arguments)]


@dataclass(frozen=True, slots=True)
class Played:
    """How one play ended. ``report`` is empty where it came to none."""

    play: Play
    status: int
    seconds: float
    report: Mapping[str, Any]
    said: str

    @property
    def findings(self) -> tuple[str, ...]:
        """The keys of what was found broken or late."""
        return (*self.wrong, *self._found("late"))

    @property
    def wrong(self) -> tuple[str, ...]:
        """The keys of what is broken on a machine of any speed."""
        return self._found("broken")

    def _found(self, verdict: str) -> tuple[str, ...]:
        return tuple(str(f["key"]) for f in self.report.get("findings", ()) if f["verdict"] == verdict)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the broken setting of its scenario has to break, and did not; nothing where the play was whole."""
        from simulator.scenarios import load

        due = load(self.play.name).broken_finds if self.play.broken else ()
        return tuple(key for key in due if key not in self.wrong)

    @property
    def as_it_should(self) -> bool:
        """Green where it was whole; where a setting was broken, red by all that its scenario names.

        Late is any play on a slow machine, and what is broken beside that may be so because a broken play is cut short.
        """
        if not self.play.broken:
            return self.status == 0 and self.report.get("ok") is True
        return self.status == 1 and not self.missing


@dataclass(slots=True)
class Plays:
    """Plays under way. ``on_line`` gets every progress line in Chinese and English, from any thread; reports and logs go to ``folder``."""

    folder: Path
    on_line: Callable[[str, str], None]
    seed: int = 1
    language: Language = "en"
    jobs: int = 2
    _children: set[subprocess.Popen[str]] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: int = 0

    def run(self, plays: Sequence[Play]) -> list[Played]:
        """Play all of them; returns how they ended, in their order. An interrupt ends what is under way."""
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = self.begin(plays, pool)
            try:
                return [future.result() for future in futures]
            except BaseException:
                self.stop()
                raise

    def begin(self, plays: Sequence[Play], pool: ThreadPoolExecutor) -> "list[Future[Played]]":
        """Hand them to ``pool`` and return at once."""
        # The longest first: a storm that begins last would be waited for alone.
        turns = sorted(range(len(plays)), key=lambda at: (not plays[at].name.startswith("storm"), at))
        futures: dict[int, Future[Played]] = {at: pool.submit(self._play, plays[at], len(plays)) for at in turns}
        return [futures[at] for at in range(len(plays))]

    def stop(self) -> None:
        """End every play."""
        self._stopped.set()
        with self._lock:
            children = list(self._children)
        for child in children:
            child.terminate()

    def _play(self, play: Play, of: int) -> Played:
        stem = play.title.replace(" --", "-")
        out, log = self.folder / f"{stem}.json", self.folder / f"{stem}.log"
        command = [sys.executable, "-m", "deploy.cli", "simulate", "run", play.name, "--seed", str(self.seed)]
        command += ["--language", self.language, "--json", str(out), *(["--broken"] if play.broken else []), *play.arguments]
        began_s = time.monotonic()
        self.on_line(f"开始 {play.title}", f"begins: {play.title}")
        status = self._wait(command, log)
        seconds = time.monotonic() - began_s
        report = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
        played = Played(play, status, seconds, report, log.read_text(encoding="utf-8", errors="replace")[-6000:])
        with self._lock:
            self._ended += 1
            ended = self._ended
        zh, en = said(played, "zh"), said(played, "en")
        self.on_line(f"[{ended}/{of}] {play.title}：{zh}，{seconds:.0f} 秒", f"[{ended}/{of}] {play.title}: {en}, {seconds:.0f} s")
        return played

    def _wait(self, command: Sequence[str], log: Path) -> int:
        if self._stopped.is_set():
            return 130
        with log.open("w", encoding="utf-8") as into:
            child = self._started(command, into)
        if child is None:
            return 127
        with child:
            with self._lock:
                self._children.add(child)
            try:
                return child.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                child.terminate()
                return 124
            finally:
                with self._lock:
                    self._children.discard(child)

    def _started(self, command: Sequence[str], into: IO[str]) -> "subprocess.Popen[str] | None":
        """The process; None where the machine refuses it again and again. A machine that is full of other plays may do so for a moment."""
        for tried in range(1, _START_TRIES + 1):
            try:
                return subprocess.Popen(command, stdout=into, stderr=into, text=True)
            except OSError as error:
                into.write(f"could not be started: {error}\n")
                self.on_line(f"无法启动（第 {tried} 次）：{error}", f"could not be started (try {tried}): {error}")
            if tried == _START_TRIES or self._stopped.wait(_START_PAUSE_S):
                break
        return None


def said(played: Played, language: Language) -> str:
    """How a play ended, in a few words."""
    zh = language == "zh"
    if not played.report:
        return f"没有报告（退出码 {played.status}）" if zh else f"no report (exit status {played.status})"
    red = ", ".join(played.findings)
    if played.report["ok"]:
        return "全部成立" if zh else "green"
    return f"违反：{red}" if zh else f"red: {red}"


def rows(played: Iterable[Played]) -> dict[str, tuple[Played | None, Played | None]]:
    """By scenario: its whole play and its broken one, in the order of their first."""
    found: dict[str, tuple[Played | None, Played | None]] = {}
    for one in played:
        name = replace(one.play, broken=False).title
        whole, broken = found.get(name, (None, None))
        found[name] = (whole, one) if one.play.broken else (one, broken)
    return found


def result_table(played: Sequence[Played], language: Language) -> list[str]:
    """The lines of the table: scenario, result, T2 to T3, T6a and T8 in real ms, time, whether the broken setting turned it red."""
    from simulator.report.layout import table

    zh = language == "zh"
    head = (
        ("场景", "结果", "T2→T3 毫秒", "T2→T6a 毫秒", "T2→T8 毫秒", "用时 秒", "改坏即红")
        if zh
        else ("scenario", "result", "T2->T3 ms", "T2->T6a ms", "T2->T8 ms", "time s", "broken turned it red")
    )
    lines = []
    for name, (whole, broken) in rows(played).items():
        result = "—" if whole is None else said(whole, language)
        figures = ["—" if whole is None else _figure(whole.report, figure) for figure in _FIGURES]
        seconds = sum(one.seconds for one in (whole, broken) if one is not None)
        lines.append((name, result, *figures, f"{seconds:.0f}", _turned(broken, language)))
    return [*table(head, lines), *_counts(played, zh)]


def _counts(played: Sequence[Played], zh: bool) -> list[str]:
    """What the storms counted, a line each."""
    lines = []
    for one in played:
        counts, kills = one.report.get("counts") or {}, one.report.get("kills") or {}
        if one.play.broken or one.report.get("leaking", 0) < _MANY:
            continue
        killed = ", ".join(f"{name} ×{count}" for name, count in kills.items()) or ("无" if zh else "none")
        if zh:
            told = (
                "事件 {incidents}，抢修单 {orders}，致电 {calls}，别名 {aliases}，关阀 {attempts}，重发 {resends}，报警重发 {alarm_repeats}"
            )
            lines.append(f"{one.play.title}：泄漏 {one.report['leaking']} 户，{told.format(**counts)}；kill -9 {killed}")
        else:
            told = "{incidents} incidents, {orders} orders, {calls} calls, {aliases} aliases, {attempts} closes, {resends} sent again, "
            told += "{alarm_repeats} alarms sent again"
            lines.append(f"{one.play.title}: {one.report['leaking']} homes leaked, {told.format(**counts)}; kill -9: {killed}")
    return ["", *lines] if lines else []


def _figure(report: Mapping[str, Any], name: str) -> str:
    found = (report.get("figures") or {}).get(name)
    if not found:
        return "—"
    return f"{found['p50']:.0f}" if found["count"] == 1 else f"{found['p50']:.0f} / {found['p99']:.0f}"


def _turned(broken: Played | None, language: Language) -> str:
    zh = language == "zh"
    if broken is None:
        return "—"
    if broken.as_it_should:
        return f"{'是' if zh else 'yes'} ({', '.join(broken.findings)})"
    due = ", ".join(broken.missing)
    return f"否 ({said(broken, language)}；应违反：{due or '—'})" if zh else f"NO ({said(broken, language)}; due: {due or '—'})"
