"""``gas-sentinel simulate``: a city on paper, a district alive, and scenarios with their reports."""

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import UserError
from deploy.cli_registry import PlatformFile, platform_file
from deploy.report_file import check_file, check_folder, write_file
from deploy.terminal import Language, Terminal, result, spoken_language

if TYPE_CHECKING:
    from simulator.narration import StoryLine
    from simulator.report import Report
    from simulator.scenarios import Scenario

simulate = typer.Typer(help="Everything outside, simulated. · 模拟外部世界。", no_args_is_help=True)


@simulate.command("city")
def city(
    homes: Annotated[int, typer.Option(min=1, help="How many homes. · 户数。")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same city. · 随机种子。")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="Registry file to write. · 输出的登记文件。")],
    crews_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write its crews. · 同时输出抢修队文件。", show_default=False)
    ] = None,
) -> None:
    """Write the registry of an invented city on the real communities of Changsha. · 生成长沙六区的模拟住户登记文件。"""
    from simulator.city import write_city

    try:
        write_city(homes, seed, out, crews_out)
    except OSError as error:
        raise UserError(
            f"{error.filename or out} 无法写入（{error.strerror}）", f"{error.filename or out} cannot be written ({error.strerror})"
        ) from None


@simulate.command("run")
def run(
    scenario: Annotated[str | None, typer.Argument(help="Name of a scenario. · 场景名。", show_default=False)] = None,
    platform: PlatformFile = None,
    seed: Annotated[int, typer.Option(help="The same seed plays the same. · 随机种子。")] = 1,
    json_out: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write the report as JSON. · 报告另存为 JSON。", show_default=False)
    ] = None,
    clock_rate: Annotated[
        float | None,
        typer.Option(
            help="Clock of a platform started for it, times real time; default as the scenario says. · 自启平台的时钟倍率。",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        Language | None, typer.Option(help="Language of the report; default from LANG. · 报告语言。", show_default=False)
    ] = None,
    broken: Annotated[
        bool, typer.Option("--broken", help="On a platform with one setting broken: the report must turn red. · 用改坏一项设置的平台演练。")
    ] = False,
    kill: Annotated[
        str | None,
        typer.Option(
            metavar="PART,...",
            help="kill -9 these parts of its own platform at random while it leaks: line, dispatch, voice, console, broker, postgres. "
            "· 其间随机 kill -9 这些进程。",
            show_default=False,
        ),
    ] = None,
    kill_seed: Annotated[int, typer.Option(help="The same seed kills in the same order. · 杀进程的随机种子。")] = 1,
    kill_every: Annotated[float, typer.Option(min=0.5, help="A kill every so many real seconds, on average. · 平均间隔秒数。")] = 4.0,
    list_them: Annotated[bool, typer.Option("--list", help="List the scenarios. · 列出场景。")] = False,
) -> None:
    """Play a scenario and report every clock and invariant; exit status 1 when one broke. · 演练场景并报告各时刻与不变量。

    Without --platform it starts a platform of its own on free ports and stops it afterwards.
    """
    from simulator.scenarios import load, names

    spoken = language or spoken_language()
    if list_them:
        for name in names():
            title = load(name).title
            result(f"{name:<22} {title.zh if spoken == 'zh' else title.en}")
        return
    if scenario is None:
        raise UserError("请给出场景名（--list 列出全部）", "name a scenario (--list lists them)")
    played = load(scenario)
    terminal = Terminal(spoken)
    if json_out is not None:
        check_file(json_out)
    if broken and platform is not None:
        raise UserError("--broken 只用于自启的平台", "--broken is for a platform started for the scenario, not with --platform")
    if kill is not None and platform is not None:
        raise UserError("--kill 只用于自启的平台", "--kill is for a platform started for the scenario, not with --platform")
    from core import log

    if platform is not None:
        from deploy.data_folder import read_platform
        from simulator.run import run_scenario

        log.configure("simulate", "warning")
        report = run_scenario(scenario, read_platform(platform), seed, clock_rate=clock_rate or 1.0, on_progress=_narrate(terminal))
    else:
        from deploy.kills import killable

        names_killed = None if kill is None else killable(kill)
        log.configure("simulate", "warning")
        report = _on_own_platform(played, seed, terminal, clock_rate or played.clock_rate, broken, names_killed, kill_seed, kill_every)
    result(report.render(spoken))
    if json_out is not None:
        write_file(json_out, report.to_json() + "\n")
    raise typer.Exit(0 if report.ok else 1)


def _on_own_platform(
    played: "Scenario",
    seed: int,
    terminal: Terminal,
    clock_rate: float,
    broken: bool,
    kill: tuple[str, ...] | None,
    kill_seed: int,
    kill_every: float,
) -> "Report":
    """Start a platform for it, play, stop it again; what dies meanwhile is started again, as ``up`` does it."""
    from deploy.kills import Killer
    from deploy.own_platform import own_platform
    from simulator.run import play

    settings = {**played.platform, **(played.broken if broken else {})}
    with own_platform(
        homes=played.registry_homes, clock_rate=clock_rate, language=terminal.language, settings=settings, terminal=terminal, seed=seed
    ) as own:
        killer = None if kill is None else Killer(kill, kill_seed, kill_every, own.pid, terminal.say)
        return own.work(
            lambda: play(played.name, own.line, seed, on_progress=_narrate(terminal), storm=killer, deaths=own.deaths, broken=broken),
            None if killer is None else killer.look,
        )


@simulate.command("scenarios")
def scenarios(
    names: Annotated[list[str] | None, typer.Argument(help="Only these. · 只演练这些。", show_default=False)] = None,
    broken: Annotated[
        bool,
        typer.Option(
            "--broken", help="Each with its broken setting as well: that play must turn red. · 另以改坏的设置各演练一次，须变红。"
        ),
    ] = False,
    short: Annotated[
        bool, typer.Option("--short", help="The short set that is played at every change. · 每次改动都演练的短名单。")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=16, help="So many at a time; default 2, of the short set 3. · 同时演练数。", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed plays the same. · 随机种子。")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Keep reports and logs here. · 报告与日志的目录。", show_default=False, file_okay=False)
    ] = None,
    language: Annotated[Language | None, typer.Option(help="Language; default from LANG. · 语言。", show_default=False)] = None,
) -> None:
    """Play all scenarios, several at a time, and print one table (make scenarios). · 演练全部场景并给出一张总表。

    Exit status 1 when anything is not as it should be: a whole platform red, or a broken one green.
    """
    import shutil
    import tempfile

    from deploy.plays import Plays, result_table, said, the_plays

    spoken = language or spoken_language()
    terminal = Terminal(spoken)
    chosen = the_plays(names or (), short=short, broken=broken)
    into = folder or Path(tempfile.mkdtemp(prefix="gas-sentinel-plays-"))
    check_folder(into)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        played = Plays(into, terminal.say, seed, spoken, jobs or (3 if short else 2)).run(chosen)
    finally:
        signal.signal(signal.SIGTERM, before)
    wrong = [one for one in played if not one.as_it_should]
    for one in wrong:
        terminal.warn(f"\n{one.play.title}：{said(one, 'zh')}\n{one.said}", f"\n{one.play.title}: {said(one, 'en')}\n{one.said}")
    for line in result_table(played, spoken):
        result(line)
    if wrong:
        terminal.warn(f"{len(wrong)} 场不符，报告与日志在 {into}", f"{len(wrong)} not as it should be; reports and logs are in {into}")
    elif folder is None:
        shutil.rmtree(into, ignore_errors=True)
    raise typer.Exit(1 if wrong else 0)


@simulate.command("district")
def district(platform: PlatformFile = None) -> None:
    """Bring the simulated homes of a running platform to life, until Ctrl-C. · 让平台上的模拟住户运转起来。

    Prints one JSON line a happening, in Chinese and English.
    """
    import os
    import sys

    file = platform_file(platform)
    from deploy.data_folder import read_platform

    read_platform(file)
    command = [sys.executable, "-m", "simulator.district", "--platform", str(file.absolute())]
    os.execv(command[0], command)  # noqa: S606  it takes this process over, signals and all


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _narrate(terminal: Terminal) -> Any:
    def tell(line: "StoryLine") -> None:
        terminal.say(line["zh"], line["en"])

    return tell
