"""What a process says of itself over HTTP."""

import asyncio
import json
import threading
import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry

from core.observe import STANDS_STILL, Health, serve


def ask(port: int) -> tuple[int, list[str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            return answer.status, json.loads(answer.read())["reasons"]
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())["reasons"]


async def test_a_loop_that_turns_says_how_the_process_is() -> None:
    found = Health(ok=True)
    observer = serve(0, lambda: found, CollectorRegistry())
    try:
        assert await asyncio.to_thread(ask, observer.port) == (200, [])
        found = Health(ok=False, reasons=("database_away",))
        assert await asyncio.to_thread(ask, observer.port) == (503, ["database_away"])
    finally:
        observer.stop()


async def test_a_loop_that_stands_still_is_said_by_the_thread_beside_it() -> None:
    observer = serve(0, lambda: Health(ok=True), CollectorRegistry())
    try:
        heard: list[tuple[int, list[str]]] = []
        asking = threading.Thread(target=lambda: heard.append(ask(observer.port)))
        asking.start()
        asking.join()  # the loop stands here until it was asked
        assert heard == [(503, [STANDS_STILL])]
        assert await asyncio.to_thread(ask, observer.port) == (200, [])
    finally:
        observer.stop()


def test_a_process_without_a_loop_is_asked_for_its_health_alone() -> None:
    observer = serve(0, lambda: Health(ok=True), CollectorRegistry())
    try:
        assert ask(observer.port) == (200, [])
    finally:
        observer.stop()
