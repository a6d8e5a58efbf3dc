"""``python -m benchmarks``: runs benchmarks by name. Each is a program of its own with its own ``--help``; here is only who they are."""

import argparse
import signal
import subprocess
import sys
from typing import Final

from deploy.terminal import spoken_language

BENCHMARKS: Final[dict[str, tuple[str, str]]] = {
    "loop": (
        "完整平台：从泄漏到燃气表收到切断指令，空载与读数负载下（约 1 分半）",
        "a whole platform: leak -> close command at the meter, at idle and beside readings (about 1.5 minutes)",
    ),
    "all_gone": (
        "数据库无响应、数据库与磁盘皆失且万条报警重发：关阀与致电时延，与正常时对比（约 2 分钟）",
        "database away; database and disks gone, 10,000 alarms repeating: close and call beside all well (about 2 minutes)",
    ),
    "loop_change": (
        "同一次运行中轮流测量早前提交与当前代码的泄漏→关阀时延（约 4 分钟）",
        "leak -> close of this tree beside that of an earlier commit, in turn (about 4 minutes)",
    ),
    "snapshot": (
        "本地快照：写出与读回一座城市的注册表和一千个未结束事件",
        "the local snapshot: writing and reading back a city's registry and a thousand open incidents",
    ),
    "waiting": (
        "数据库离线：积压越来越多时，每条新决定占用事件循环多久（约 5 秒）",
        "the database away: how long each new decision holds up the loop while ever more wait (about 5 seconds)",
    ),
    "orders": (
        "调度：一场风暴的全部抢修单落库耗时（50 与 900 户）",
        "dispatch alone: how long until every order of a storm is durable (50 and 900 homes)",
    ),
    "pages": (
        "真实浏览器：事件多快出现在大屏，十人观看是否拖慢接警线，首屏（约 4 分钟）",
        "a real browser: how soon the wall shows a leak, whether ten who watch slow the line, the first view (about 4 minutes)",
    ),
    "mqtt_clients": (
        "仅消息代理：各 MQTT 客户端从报警到指令的往返（约 4 分钟）",
        "a broker alone: alarm -> command round trip of each MQTT client (about 4 minutes)",
    ),
}
DEFAULT: Final = "loop"


def _list() -> str:
    language = spoken_language()
    lines = (f"{name:<14} {zh if language == 'zh' else en}" for name, (zh, en) in BENCHMARKS.items())
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="python -m benchmarks [--help] [--list] [--seconds SECONDS] [NAME ...] [options of the benchmark]",
        description=f"Run benchmarks by name, in turn; without a name: {DEFAULT}. · 依次运行指定的性能基准，缺省为 {DEFAULT}。",
        epilog="\n".join(f"{name:<14} {en}\n{'':<14} {zh}" for name, (zh, en) in BENCHMARKS.items())
        + '\n\nOptions that are not listed here go to the benchmark: make bench ARGS="loop --check".'
        + "\nIts own options: python -m benchmarks.NAME --help. · 其余参数转给该基准。",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks · 列出基准")
    parser.add_argument("--seconds", type=float, help="of each measurement; default: the benchmark's own · 每次测量的秒数")
    return parser


def run(name: str, arguments: list[str]) -> int:
    """One benchmark to its end, which it comes to by itself when it is told to stop; returns its exit status."""
    child = subprocess.Popen([sys.executable, "-m", f"benchmarks.{name}", *arguments])
    # Ctrl-C reaches the child too: it stops what it started, and we wait for that.
    signal.signal(signal.SIGINT, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: child.send_signal(received))
    return child.wait()


def main() -> int:
    """Run what was named; stops at the first that fails."""
    parser = _parser()
    options, others = parser.parse_known_args()
    if options.list:
        print(_list())
        return 0
    names = [word for word in others if word in BENCHMARKS] or [DEFAULT]
    others = [word for word in others if word not in BENCHMARKS]
    if others and not others[0].startswith("-"):
        parser.error(f"no such benchmark: {others[0]} (--list shows them) · 没有这个基准")
    if options.seconds is not None:
        others += ["--seconds", str(options.seconds)]
    for name in names:
        if status := run(name, others):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
