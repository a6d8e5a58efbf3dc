"""``gas-sentinel simulate``: a city on paper, a district alive, and scenarios with their reports."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import UserError
from deploy.cli_registry import PlatformFile, platform_file
from deploy.terminal import Language, Terminal, result, spoken_language

if TYPE_CHECKING:
    from simulator.narration import StoryLine

simulate = typer.Typer(help="Everything outside, simulated. · 模拟外部世界。", no_args_is_help=True)

_SCENARIO_HOMES = 200


@simulate.command("city")
def city(
    homes: Annotated[int, typer.Option(min=1, help="How many homes. · 户数。")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same city. · 随机种子。")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="Registry file to write. · 输出的登记文件。")],
    crews_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write its crews. · 同时输出班组文件。", show_default=False)
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
    clock_rate: Annotated[float, typer.Option(help="Clock of a platform started for it, times real time. · 自启平台的时钟倍率。")] = 1.0,
    language: Annotated[
        Language | None, typer.Option(help="Language of the report; default from LANG. · 报告语言。", show_default=False)
    ] = None,
    broken: Annotated[
        bool, typer.Option("--broken", help="On a platform with one setting broken: the report must turn red. · 用改坏一项设置的平台演练。")
    ] = False,
    list_them: Annotated[bool, typer.Option("--list", help="List the scenarios. · 列出场景。")] = False,
) -> None:
    """Play a scenario and report every clock and invariant; exit status 1 when one broke. · 演练场景并报告各时刻与不变量。

    Without --platform it starts a platform of its own on free ports and stops it afterwards.
    """
    from simulator.scenarios import load, names

    spoken = language or spoken_language()
    if list_them or scenario is None:
        for name in names():
            title = load(name).title
            result(f"{name:<22} {title.zh if spoken == 'zh' else title.en}")
        if not list_them:
            raise UserError("请给出场景名（见上）", "name a scenario (they are listed above)")
        return
    played = load(scenario)
    terminal = Terminal(spoken)
    if json_out is not None and not json_out.absolute().parent.is_dir():
        raise UserError(f"目录 {json_out.absolute().parent} 不存在", f"there is no folder {json_out.absolute().parent}")
    if broken and platform is not None:
        raise UserError("--broken 只用于自启的平台", "--broken is for a platform started for the scenario, not with --platform")
    settings = {**played.platform, **(played.broken if broken else {})}
    with _platform(platform, clock_rate, spoken, settings, terminal) as line:
        from core import log
        from simulator.run import run_scenario

        log.configure("simulate", "warning")
        report = run_scenario(scenario, line, seed, clock_rate=clock_rate, on_progress=_narrate(terminal))
    result(report.render(spoken))
    if json_out is not None:
        json_out.write_text(report.to_json() + "\n", encoding="utf-8")
    raise typer.Exit(0 if report.ok else 1)


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


@contextmanager
def _platform(
    file: Path | None, clock_rate: float, language: Language, settings: dict[str, str], terminal: Terminal
) -> Iterator[dict[str, Any]]:
    """The platform that a file describes; without one, a platform of our own for as long as the scenario lasts."""
    if file is not None:
        from deploy.data_folder import read_platform

        yield read_platform(file)
        return
    from deploy.own_platform import own_platform

    with own_platform(homes=_SCENARIO_HOMES, clock_rate=clock_rate, language=language, settings=settings, terminal=terminal) as line:
        yield json.loads(json.dumps(line))


def _narrate(terminal: Terminal) -> Any:
    def tell(line: "StoryLine") -> None:
        terminal.say(line["zh"], line["en"])

    return tell
