"""``make run``: the platform and a simulated district beside it, told as a story in the terminal, until Ctrl-C.

The first start makes a district of 200 homes; later starts keep whatever there is.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from core.errors import UserError
from deploy.data_folder import write_private
from deploy.parts import module
from deploy.station import Station
from deploy.story import StoryTeller, TimelineReader, legend
from deploy.supervisor import Stopped, StopRequest
from deploy.terminal import Terminal, result
from deploy.up import Platform, UpOptions

DISTRICT_HOMES = 200
DISTRICT_SEED = 1
PROOF_WINDOW_FACTOR = 0.01
"""A register of 10 L needs 20 minutes to show the smallest leak-by: nobody watches a demonstration for so long. Simulated homes only."""


def run_district(options: UpOptions, terminal: Terminal) -> int:
    """Start, tell, stop; returns the exit status. Raises UserError once everything that was started is stopped."""
    stop = StopRequest()
    stop.listen()
    settings = {"GAS_SENTINEL_PROOF_WINDOW_FACTOR": str(PROOF_WINDOW_FACTOR), **options.settings}
    platform = Platform(replace(options, seed_homes=DISTRICT_HOMES, seed=DISTRICT_SEED, settings=settings), terminal, stop)
    teller = StoryTeller(options.language, result)
    reader: TimelineReader | None = None
    try:
        platform.start()
        reader = TimelineReader(platform.line["http"], teller.hear)
        reader.start()
        _welcome(platform, terminal, options)
        platform.add(_district(platform, teller))
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


def _district(platform: Platform, teller: StoryTeller) -> Station:
    # The district keeps its own copy of the line: the platform's is gone as soon as it stops.
    line = platform.platform_file.with_name("district.json")
    write_private(line, json.dumps(platform.line) + "\n")
    command = (*module("simulator.district"), "--platform", str(line))
    return Station("district", command, {"PYTHONUNBUFFERED": "1"}, platform.logs / "district.log", on_line=teller.hear_outside)


def _welcome(platform: Platform, terminal: Terminal, options: UpOptions) -> None:
    http = platform.line["http"]
    terminal.say(
        f"\n平台已就绪：{http}\n模拟小区正在运行，第一起泄漏将在一分钟内自行发生。平台按真实时间运行；"
        "外部世界（燃气积聚、驾车、维修）经压缩，并逐条注明；\n"
        "平台自身只缩短一处：验证阀门是否关严的等待（20 分钟缩为 12 秒）。\nCtrl-C 停止。\n",
        f"\nThe platform is ready: {http}\nThe simulated district is running; the first leak happens by itself within a minute. The "
        "platform runs in real time;\nwhat is outside (gas gathering, driving, repairing) is compressed, and each compressed duration "
        "says so.\nOf the platform itself one thing is shortened: the wait for the proof that a valve holds (20 min, here 12 s).\n"
        "Ctrl-C stops everything.\n",
    )
    for line in legend(options.language):
        sys.stderr.write(line + "\n")


def default_data() -> Path:
    """Where ``make run`` keeps its data."""
    return Path(".data") / "run"
