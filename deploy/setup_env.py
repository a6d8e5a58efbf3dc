"""Sets everything up in this folder: .venv with the pinned packages, the gas-sentinel command, the broker's program, the pages.

Run by any python3, also one that is too old, which is told so in one line; hence the old-fashioned syntax. Standard library alone.
Repeating it costs a moment: what stands is recognised by a stamp.
"""
# An old interpreter has to be able to read this file to say that it is too old.
# ruff: noqa: RUF005

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

NEEDED = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
CACHE = os.path.join(ROOT, ".cache")
LOG = os.path.join(CACHE, "setup.log")
REQUIREMENTS = os.path.join(ROOT, "requirements", "dev.txt")
STAMP = os.path.join(VENV, "gas-sentinel.stamp")
STEPS = 5
WHEELS = "/usr/share/python-wheels/pip-*.whl"


class RefusalError(Exception):
    """Why the set-up cannot go on, and what to do: one line a language."""

    def __init__(self, zh: str, en: str) -> None:
        Exception.__init__(self, en)
        self.zh = zh
        self.en = en


def speaks_chinese() -> bool:
    """Whether the terminal is a Chinese one."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return os.environ[name].lower().startswith("zh")
    return False


def say(zh: str, en: str) -> None:
    """One line for the person who waits."""
    sys.stdout.write((zh if speaks_chinese() else en) + "\n")
    sys.stdout.flush()


def step(number: int, zh: str, en: str) -> None:
    """The heading of a step."""
    mark = "[" + str(number) + "/" + str(STEPS) + "] "
    say(mark + zh, mark + en)


def version_problem(version: "tuple[int, ...]") -> "tuple[str, str] | None":
    """What is wrong with a Python version, in Chinese and English; None when it will do."""
    if tuple(version[:2]) >= NEEDED:
        return None
    needed, found = ".".join(map(str, NEEDED)), ".".join(map(str, version[:2]))
    or_name_one = ", or name one with make PYTHON=/path/to/python3"
    return (
        "需要 Python " + needed + " 或更新版本，当前是 " + found + "：请安装 python" + needed + "，或用 make PYTHON=/路径/python3 指定",
        "Python " + needed + " or newer is needed, this is " + found + ": install python" + needed + or_name_one,
    )


def newer_python() -> "str | None":
    """Another interpreter on this machine that is new enough."""
    for minor in range(19, NEEDED[1] - 1, -1):
        found = shutil.which("python3." + str(minor))
        if found:
            return found
    return None


def use_a_python_that_will_do() -> None:
    """Go on under a newer interpreter when this one is too old; RefusalError when there is none."""
    problem = version_problem(tuple(sys.version_info[:3]))
    if problem is None:
        return
    other = newer_python()
    if other is None:
        raise RefusalError(*problem)
    os.execv(other, [other, os.path.abspath(__file__)])  # noqa: S606  the same file under another interpreter


def run(command: "list[str]", what: "tuple[str, str]", heed: "object" = None) -> None:
    """Run a program with its output in the log; RefusalError with its last error line when it fails. ``heed`` is given each line."""
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PYTHONUTF8="1")
    environment.pop("PYTHONPATH", None)
    environment.pop("PYTHONHOME", None)
    last = ""
    with open(LOG, "a", encoding="utf-8") as log:
        log.write("$ " + " ".join(command) + "\n")
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for raw in process.stdout or ():
                line = raw.decode("utf-8", "replace").rstrip()
                log.write(line + "\n")
                if callable(heed):
                    heed(line)
                if line.startswith("ERROR") or not last.startswith("ERROR"):
                    last = line or last
        status = process.returncode
    if status != 0:
        raise RefusalError(
            what[0] + "失败：" + last + "（全部输出见 " + LOG + "）", what[1] + " failed: " + last + " (all output is in " + LOG + ")"
        )


def wanted_stamp() -> str:
    """What the environment depends on, as one hash: pinned packages, the project's own data, interpreter and place."""
    mark = hashlib.sha256()
    for path in (REQUIREMENTS, os.path.join(ROOT, "pyproject.toml")):
        with open(path, "rb") as file:
            mark.update(file.read())
    mark.update(sys.version.encode() + ROOT.encode())
    return mark.hexdigest()


def stamped() -> str:
    """The hash of the environment that stands; empty when none does."""
    try:
        with open(STAMP, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def python_of_venv() -> str:
    """The interpreter of the environment."""
    return os.path.join(VENV, "bin", "python")


def venv_stands() -> bool:
    """Whether the environment runs this very Python version, in this place, and has pip."""
    try:
        said = subprocess.check_output(
            [python_of_venv(), "-c", "import pip, sys; print(sys.version); print(sys.prefix)"], stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    lines = said.decode("utf-8", "replace").splitlines()
    return lines == [sys.version.replace("\n", ""), VENV] or lines == sys.version.splitlines() + [VENV]


def make_venv() -> None:
    """Make .venv, also where the distribution has split ensurepip off."""
    if venv_stands():
        return
    if os.path.lexists(VENV):
        shutil.rmtree(VENV)
    try:
        import ensurepip  # noqa: F401  its absence is the question
        import venv  # noqa: F401  the same
    except ImportError:
        make_venv_without_ensurepip()
        return
    try:
        run([sys.executable, "-m", "venv", VENV], ("创建 .venv ", "making .venv"))
    except RefusalError:
        # Debian leaves a module ensurepip behind that only explains what is missing.
        shutil.rmtree(VENV, ignore_errors=True)
        make_venv_without_ensurepip()


def make_venv_without_ensurepip() -> None:
    """Make .venv and put pip into it from the distribution's wheel, fetched without root where it is not installed."""
    package = "python" + ".".join(map(str, sys.version_info[:2])) + "-venv"
    missing = RefusalError(
        "本机的 Python 缺少 venv/ensurepip，也取不到 python3-pip-whl：请执行 sudo apt-get install " + package,
        "this Python comes without venv/ensurepip and python3-pip-whl cannot be fetched: run 'sudo apt-get install " + package + "'",
    )
    wheel = pip_wheel()
    if wheel is None:
        raise missing
    try:
        run([sys.executable, "-m", "venv", "--without-pip", VENV], ("创建 .venv ", "making .venv"))
    except RefusalError:
        raise missing from None
    run([python_of_venv(), os.path.join(wheel, "pip"), "install", "--no-index", "--no-deps", wheel], ("安装 pip ", "installing pip"))


def pip_wheel() -> "str | None":
    """pip as a wheel of the distribution; None when it cannot be had."""
    found = sorted(glob.glob(WHEELS))
    if found:
        return found[-1]
    sys.path.insert(0, ROOT)
    from pathlib import Path

    from deploy.embedded.packages import Packages, available

    if not available():
        return None
    into = os.path.join(CACHE, "pip")
    for packages in (Packages(Path(CACHE)), Packages(Path(CACHE), own_lists=True)):
        if packages.ready() and packages.unpack(Path(into), "python3-pip-whl"):
            found = sorted(glob.glob(into + WHEELS))
            if found:
                return found[-1]
    return None


class Progress:
    """Counts packages while pip works, so that nobody wonders."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, line: str) -> None:
        """Look at one line of pip's."""
        if not re.match(r"\s*(Collecting|Requirement already satisfied:) ", line):
            if line.startswith("Installing collected packages"):
                say("      正在安装…", "      installing ...")
            return
        self.seen += 1
        if self.seen % 10 == 0:
            count = "      " + str(self.seen)
            say(count + " 个包", count + " packages")


def install_packages() -> None:
    """Install exactly what is pinned, by hash, and the project itself as links to this folder."""
    pip = [python_of_venv(), "-m", "pip", "install", "--no-deps", "--progress-bar", "off"]
    run(pip + ["--require-hashes", "-r", REQUIREMENTS], ("安装依赖包", "installing the pinned packages"), Progress())
    run(pip + ["--no-build-isolation", "--editable", ROOT], ("安装 gas-sentinel 命令", "installing the gas-sentinel command"))


def obtain_broker() -> None:
    """Find mosquitto or unpack it; where there is none, say what stands in."""
    subprocess.call([python_of_venv(), "-m", "deploy.embedded.mosquitto_program"], cwd=ROOT)


def build_pages() -> None:
    """Build what the browser is given, where a source of it has changed; a moment's look where none has."""
    if subprocess.call([python_of_venv(), "-m", "deploy.pages"], cwd=ROOT) != 0:
        raise RefusalError("网页构建失败", "the web pages could not be built")


def set_up() -> None:
    """All steps. Raises RefusalError."""
    use_a_python_that_will_do()
    try:
        os.makedirs(CACHE, exist_ok=True)
        lock = open(os.path.join(CACHE, "setup.lock"), "w", encoding="ascii")  # noqa: SIM115  held until this process ends
    except OSError as error:
        raise RefusalError(
            ROOT + " 无法写入（" + str(error.strerror) + "）：请在自己拥有的目录中克隆",
            ROOT + " cannot be written (" + str(error.strerror) + "): clone into a folder of your own",
        ) from None
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)
    if stamped() == wanted_stamp() and venv_stands():
        build_pages()
        return
    step(1, "Python " + sys.version.split()[0] + "：" + sys.executable, "Python " + sys.version.split()[0] + ": " + sys.executable)
    step(2, "创建 .venv", "making .venv")
    make_venv()
    step(3, "安装依赖包（已锁定版本与哈希，首次约需一分钟）", "installing packages (pinned by hash; about a minute the first time)")
    install_packages()
    step(4, "准备消息代理 mosquitto", "finding or unpacking the broker, mosquitto")
    obtain_broker()
    step(5, "构建网页（首次约需一分钟）", "building the web pages (about a minute the first time)")
    build_pages()
    with open(STAMP, "w", encoding="ascii") as file:
        file.write(wanted_stamp() + "\n")
    say("安装完成。", "set up.")


def main() -> int:
    """Exit status 0, or 2 with one line that says what to do."""
    try:
        set_up()
    except RefusalError as refusal:
        sys.stderr.write(("无法继续：" + refusal.zh if speaks_chinese() else "cannot go on: " + refusal.en) + "\n")
        return 2
    except OSError as error:
        sys.stderr.write("cannot go on: " + str(error) + "\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
