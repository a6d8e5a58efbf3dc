"""``gas-sentinel homes`` and ``crews``: who lives where with which devices, and who can be sent."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.terminal import Terminal, spoken_language

if TYPE_CHECKING:
    from core.registry.model import ImportReport

homes = typer.Typer(help="The registry of homes and devices. · 住户与设备登记。", no_args_is_help=True)
crews = typer.Typer(help="Crews and technicians. · 抢修队。", no_args_is_help=True)

Dsn = Annotated[
    str | None,
    typer.Option("--postgres", metavar="DSN", help="Connection string of the database. · 数据库连接串。", show_default=False),
]
PlatformFile = Annotated[
    Path | None,
    typer.Option(
        "--platform",
        metavar="FILE",
        help="File with the line that 'up' printed; default: the one of .data/run or .data/up that runs. · up 输出行所在文件。",
        show_default=False,
    ),
]


@homes.command("import")
def import_homes(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Registry file, UTF-8. · 登记文件，UTF-8。")],
    retire_missing: Annotated[
        bool, typer.Option("--retire-missing", help="Retire homes and devices that the file does not name. · 停用文件中没有的住户与设备。")
    ] = False,
    credentials_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write account,password of new accounts here. · 新账号与密码写入此文件。", show_default=False),
    ] = None,
    postgres: Dsn = None,
    platform: PlatformFile = None,
) -> None:
    """Add and change homes by home_id, whole or not at all. · 按 home_id 导入住户，要么全部成功，要么不变。"""
    from deploy.up import import_homes_file

    dsn = database_of(postgres, platform)
    _report(import_homes_file(dsn, file, retire_missing=retire_missing, credentials_out=credentials_out), "户", "homes")


@crews.command("import")
def import_crews(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Crews file, UTF-8. · 抢修队文件，UTF-8。")],
    postgres: Dsn = None,
    platform: PlatformFile = None,
) -> None:
    """Add and change crews by crew_id, whole or not at all. · 按 crew_id 导入抢修队，要么全部成功，要么不变。"""
    from deploy.up import import_crews_file

    _report(import_crews_file(database_of(postgres, platform), file), "支抢修队", "crews")


def database_of(postgres: str | None, platform: Path | None) -> str:
    """The database that the options lead to. Raises UserError when no platform is found."""
    from deploy.data_folder import read_platform

    return postgres if postgres is not None else str(read_platform(platform_file(platform))["postgres"])


def platform_file(platform: Path | None) -> Path:
    """The file as given, else that of the platform that runs here."""
    from deploy.data_folder import PLATFORM_FILE

    if platform is not None:
        return platform
    usual = [Path(".data") / name / PLATFORM_FILE for name in ("run", "up")]
    return next((path for path in usual if path.exists()), usual[-1])


def _report(report: "ImportReport", zh_unit: str, en_unit: str) -> None:
    Terminal(spoken_language()).say(
        f"新增 {report.added} {zh_unit}，更改 {report.changed}，未变 {report.unchanged}，停用 {report.retired}"
        f"（登记版本 {report.version}）",
        f"{en_unit}: {report.added} added, {report.changed} changed, {report.unchanged} unchanged, {report.retired} retired "
        f"(registry version {report.version})",
    )
