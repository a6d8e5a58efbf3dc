"""The voice worker's process.

Ends with status 0 on SIGTERM, 1 when the telephone stack died (it cannot be revived within a process), 2 on settings refused.
"""

import asyncio
import logging
import signal
import sys

import structlog
from baresip import BaresipError
from pydantic import ValidationError

from core.log import configure
from core.observe import serve
from dispatch.voice import figures, stack_folder
from dispatch.voice.line import TelephoneNetwork
from dispatch.voice.recordings import Recordings
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.sink import Sink
from dispatch.voice.speech.voice import SpeechLostError, Voice
from dispatch.voice.wording import AFTER_KEY
from dispatch.voice.worker import VoiceWorker


async def run(settings: VoiceSettings) -> int:
    """Serve until told to stop; the process's exit status."""
    log = structlog.get_logger()
    clock = settings.clock()
    stop = asyncio.Event()
    dead = asyncio.Event()

    def on_dead() -> None:
        dead.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    voice = Voice(
        {"zh": settings.speech_rate_zh, "en": settings.speech_rate_en},
        on_render=figures.RENDER.observe,
        on_restart=figures.SPEECH_RESTARTS.inc,
    )
    sink = Sink()
    try:
        stack_folder.take(settings.voice_socket)
        network = TelephoneNetwork(settings, on_dead, await sink.start())
        await network.start()
    except (BaresipError, OSError) as error:
        log.error("the telephone stack did not start", error=repr(error))
        return 1
    recordings = _recordings(settings)
    worker = VoiceWorker(settings, clock, network, voice, recordings)
    observer = serve(settings.observe_port, worker.health) if settings.observe_port else None
    try:
        # A worker that cannot speak still rings: it says so in /health, and its calls carry a tone.
        warming = loop.create_task(_warm(voice))
        await worker.start()
        log.info("voice worker ready", socket=str(settings.voice_socket), trunk=bool(settings.sip_trunk))
        await stop.wait()
        warming.cancel()
    finally:
        if not dead.is_set():
            await worker.stop()
            await network.stop()
        sink.stop()
        await voice.stop()
        if recordings is not None:
            recordings.stop()
        if observer is not None:
            observer.stop()
    return 1 if dead.is_set() else 0


def _recordings(settings: VoiceSettings) -> Recordings | None:
    if settings.recordings_dir is None:
        return None
    recordings = Recordings(settings.recordings_dir, settings.recordings_max_count, settings.recordings_max_bytes)
    try:
        recordings.start()
    except OSError as error:
        # People are rung all the same.
        structlog.get_logger().error("no recordings", folder=str(settings.recordings_dir), error=str(error))
        return None
    return recordings


class _IntoLog(logging.Handler):
    """What libraries log (the telephone stack's own lines above all) becomes lines of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name)


async def _warm(voice: Voice) -> None:
    try:
        await voice.start()
        for words in AFTER_KEY.values():
            for language in ("zh", "en"):
                await voice.render(words[language], language)
    except SpeechLostError as error:
        structlog.get_logger().error("no speech", error=str(error))


def main() -> int:
    """Read the settings, run, and give the exit status."""
    try:
        settings = VoiceSettings()
    except ValidationError as error:
        configure("voice")
        structlog.get_logger().error("settings refused", why=[found["msg"] for found in error.errors()])
        return 2
    configure("voice", settings.log_level)
    logging.basicConfig(handlers=[_IntoLog()], level=settings.log_level.upper())
    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
