"""``make run``: the platform and a simulated district beside it, told as a story in the terminal, until Ctrl-C.

The first start makes a district of 200 homes; later starts keep whatever there is.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from core.errors import UserError
from deploy.data_folder import write_private
from deploy.embedded.processes import LOOPBACK, free_port
from deploy.parts import module
from deploy.station import Station
from deploy.story import StoryTeller, TimelineReader, legend
from deploy.supervisor import Stopped, StopRequest
from deploy.terminal import Terminal, result
from deploy.up import Platform, UpOptions, say_links

DISTRICT_HOMES = 200
DISTRICT_SEED = 1
PROOF_WINDOW_FACTOR = 0.01
"""A register of 10 L needs 20 minutes to show the smallest leak-by: nobody watches a demonstration for so long. Simulated homes only."""
CLEARING_WITHIN_S = 120
"""Five minutes is what a room may take to begin to clear: a demonstration's crew would have mended a leak before the meter by then."""


def run_district(options: UpOptions, terminal: Terminal) -> int:
    """Start, tell, stop; returns the exit status. Raises UserError once everything that was started is stopped."""
    stop = StopRequest()
    stop.listen()
    shortened = {
        "GAS_SENTINEL_PROOF_WINDOW_FACTOR": str(PROOF_WINDOW_FACTOR),
        "GAS_SENTINEL_CLEARING_WITHIN_S": str(CLEARING_WITHIN_S),
    }
    settings = {**shortened, **options.settings}
    control = f"{LOOPBACK}:{free_port()}"
    console = {"GAS_SENTINEL_DEMO_CONTROL_URL": f"http://{control}", "GAS_SENTINEL_MAP_FILE": str(_map_file()), **options.console}
    demonstration = replace(options, seed_homes=DISTRICT_HOMES, seed=DISTRICT_SEED, settings=settings, console=console, demo=True)
    platform = Platform(demonstration, terminal, stop)
    teller = StoryTeller(options.language, result)
    reader: TimelineReader | None = None
    try:
        platform.start()
        reader = TimelineReader(platform.line["http"], platform.line["api_token"], teller.hear)
        reader.start()
        _welcome(platform, terminal, options)
        platform.add(_district(platform, teller, control))
        platform.run(teller.tell)
    except Stopped:
        pass
    except UserError:
        if not stop.asked():
            raise
    finally:
        if reader is not None:
            reader.stop()
        platform.stop()
        stop.release()
    terminal.say(f"已全部停止，数据保留在 {options.data}。", f"everything is stopped; the data is kept in {options.data}.")
    return 0


def _map_file() -> Path:
    """The outlines of the districts that the simulated homes stand in."""
    import simulator.data

    return Path(simulator.data.__file__).with_name("changsha-districts.geojson")


def _district(platform: Platform, teller: StoryTeller, control: str) -> Station:
    # The district keeps its own copy of the line: the platform's is gone as soon as it stops.
    line = platform.platform_file.with_name("district.json")
    write_private(line, json.dumps(platform.line) + "\n")
    command = (*module("simulator.district"), "--platform", str(line), "--control", control)
    return Station("district", command, {"PYTHONUNBUFFERED": "1"}, platform.logs / "district.log", on_line=teller.hear_outside)


def _welcome(platform: Platform, terminal: Terminal, options: UpOptions) -> None:
    http = platform.line["http"]
    terminal.say(
        f"\n平台已就绪：{http}\n模拟小区正在运行，第一起泄漏将在一分钟内自行发生。平台按真实时间运行；"
        "外部世界（燃气积聚、驾车、维修）经压缩，并逐条注明；\n"
        "平台自身缩短两处：验证阀门是否关严的等待（20 分钟缩为 12 秒），室内浓度开始下降的时限（5 分钟缩为 2 分钟）。\nCtrl-C 停止。\n",
        f"\nThe platform is ready: {http}\nThe simulated district is running; the first leak happens by itself within a minute. The "
        "platform runs in real time;\nwhat is outside (gas gathering, driving, repairing) is compressed, and each compressed duration "
        "says so.\nOf the platform itself two things are shortened: the wait for the proof that a valve holds (20 min, here 12 s)\n"
        "and the time that a room may take to begin to clear (5 min, here 2 min).\nCtrl-C stops everything.\n",
    )
    say_links(platform.line, terminal)
    terminal.say("", "")
    for line in legend(options.language):
        sys.stderr.write(line + "\n")


def default_data() -> Path:
    """Where ``make run`` keeps its data."""
    return Path(".data") / "run"
