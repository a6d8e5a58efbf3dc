"""``gas-sentinel certificates``: the authority that vouches for devices."""

from pathlib import Path
from typing import Annotated

import typer

from core.errors import UserError
from deploy.terminal import Terminal, result, spoken_language

certificates = typer.Typer(help="Client certificates of devices. · 设备证书。", no_args_is_help=True)

AUTHORITY = Path(".data/authority")
LONGEST_DAYS = 20 * 365

Folder = Annotated[Path, typer.Option("--authority", metavar="DIR", help="Folder of the authority. · 证书机构目录。", show_default=True)]
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Account of the device or hub. · 设备或集中器账号。")]


@certificates.command("init")
def init(
    authority: Folder = AUTHORITY,
    name: Annotated[str, typer.Option(help="Name of the authority in its certificate. · 证书机构名称。")] = "Gas Sentinel",
) -> None:
    """Make the authority: its key, its certificate, an empty revocation list. · 创建证书机构。"""
    from deploy.embedded.authority import Authority

    if not 0 < len(name) <= 64:
        raise UserError("名称须为 1 至 64 个字符", "the name has to have 1 to 64 characters")
    made = Authority.create(authority, name)
    Terminal(spoken_language()).say(
        f"证书机构已创建。{made.folder / 'ca.key'} 能为任何设备签发证书：请妥善备份，勿让他人读取。",
        f"the authority is made. {made.folder / 'ca.key'} can vouch for any device: back it up and let nobody read it.",
    )
    result(str(made.certificate_file))


@certificates.command("issue")
def issue(
    account: Account,
    authority: Folder = AUTHORITY,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to. · 输出目录。")] = Path(),
    days: Annotated[int | None, typer.Option(min=1, max=LONGEST_DAYS, help="Days that it holds; default 3650. · 有效天数。")] = None,
    csr: Annotated[
        Path | None,
        typer.Option(
            "--csr",
            metavar="FILE",
            help="Request of a device that made its own key (PEM or DER); only the certificate is written. · 设备自生成密钥的证书请求。",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write ACCOUNT.crt, ACCOUNT.key and ca.crt; the account is the common name. · 为账号签发证书，主体名即账号。"""
    from deploy.embedded.authority import DEVICE_DAYS, Authority, write_whole

    made = Authority(authority)
    # What would be overwritten is the only copy of a key: looked at before anything is issued.
    targets = [out / f"{account}.crt", *([] if csr is not None else [out / f"{account}.key"])]
    for target in targets:
        if target.exists():
            raise UserError(f"{target} 已存在：请先移走，或用 --out 另选目录", f"{target} is already there: move it away, or choose --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if csr is not None:
            certificate, key = made.sign_request(account, csr.read_bytes(), days or DEVICE_DAYS), None
        else:
            certificate, key = made.issue(account, days or DEVICE_DAYS)
        if key is not None:
            write_whole(targets[1], key, 0o600)
        write_whole(targets[0], certificate, 0o644)
        if (out / "ca.crt").absolute() != made.certificate_file:
            write_whole(out / "ca.crt", made.certificate_file.read_bytes(), 0o644)
    except OSError as error:
        raise UserError(
            f"{error.filename or out} 无法读写（{error.strerror}）", f"{error.filename or out} cannot be read or written ({error.strerror})"
        ) from None
    for target in (*targets, out / "ca.crt"):
        result(str(target))


@certificates.command("revoke")
def revoke(account: Account, authority: Folder = AUTHORITY) -> None:
    """Refuse every certificate of an account from now on. · 吊销账号的全部证书。"""
    from deploy.embedded.authority import Authority

    count = Authority(authority).revoke(account)
    Terminal(spoken_language()).say(
        f"已吊销 {count} 张证书；正在运行的平台会在一两秒内断开 {account}。",
        f"{count} certificate(s) revoked; a platform that runs on this authority shows {account} out within a second or two.",
    )


@certificates.command("list")
def list_certificates(
    authority: Folder = AUTHORITY,
    ending: Annotated[
        int | None,
        typer.Option(
            "--ending", metavar="DAYS", help="Only those that end within so many days. · 仅列出若干天内到期的。", show_default=False
        ),
    ] = None,
) -> None:
    """One line a certificate: account, serial number, last day, state. · 列出证书：账号、序列号、到期日、状态。"""
    import datetime

    from deploy.embedded.authority import Authority

    now = datetime.datetime.now(datetime.UTC)
    for entry in Authority(authority).entries():
        if ending is not None and (not entry.valid(now) or entry.ends - now > datetime.timedelta(days=ending)):
            continue
        state = "revoked" if entry.revoked is not None else "valid" if entry.valid(now) else "ended"
        result(f"{entry.account}\t{entry.serial:x}\t{entry.ends:%Y-%m-%d}\t{state}")
