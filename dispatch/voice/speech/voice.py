"""The worker's side of the speech process: keeps one warm, restarts it when it dies, remembers what was rendered.

Refuses to know what is said or why. Sound is 8 kHz 16-bit mono PCM.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal

import structlog

from core.errors import GasSentinelError
from dispatch.voice.speech.frames import RenderAnswer, RenderRequest

SAMPLE_HZ: Final = 8000
BYTES_PER_SECOND: Final = SAMPLE_HZ * 2
_REMEMBERED: Final = 1024
"""Sentences kept, some 50 kB each: those of a hundred calls, so that a second pass is not rendered again."""
_PATIENCE_S: Final = 10.0

Language = Literal["zh", "en"]
Words = tuple[Language, str]

_NOW: Final = 0
_SOON: Final = 1


class SpeechLostError(GasSentinelError):
    """Nothing could be rendered, even by a fresh speech process."""


class Voice:
    """Text in, sound out."""

    def __init__(
        self,
        words_per_minute: dict[Language, int],
        on_render: Callable[[float], None] = lambda _seconds: None,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_render`` gets the seconds that each rendering took, ``on_restart`` each replacement of a dead process."""
        self._words_per_minute = words_per_minute
        self._on_render = on_render
        self._on_restart = on_restart
        self._process: Process | None = None
        self._wanted: asyncio.PriorityQueue[tuple[int, int, Words, asyncio.Future[bytes]]] = asyncio.PriorityQueue()
        self._sounds: OrderedDict[Words, asyncio.Future[bytes]] = OrderedDict()
        self._work: asyncio.Task[None] | None = None
        self._order = 0
        self._number = 0
        self._log = structlog.get_logger()
        self.healthy = False

    async def start(self) -> None:
        """Bring the speech process up and let it speak once in each language. Raises SpeechLostError."""
        await self.render("一。", "zh")
        await self.render("one.", "en")

    def prepare(self, text: str, language: Language) -> None:
        """Begin to render, so that a later ``render`` of the same words finds them done. Yields to who waits in ``render``."""
        self._want((language, text), _SOON)

    async def render(self, text: str, language: Language) -> bytes:
        """The sound of ``text``; somebody is on the phone and hears nothing until it is there. Raises SpeechLostError."""
        return await asyncio.shield(self._want((language, text), _NOW))

    def _want(self, words: Words, rank: int) -> asyncio.Future[bytes]:
        sound = self._sounds.get(words)
        if sound is None or (sound.done() and (sound.cancelled() or sound.exception() is not None)):
            sound = asyncio.get_running_loop().create_future()
            # Words may be prepared that are never said: their failure must not be reported as forgotten.
            sound.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._sounds[words] = sound
        if not sound.done():
            self._order += 1
            self._wanted.put_nowait((rank, self._order, words, sound))
        self._sounds.move_to_end(words)
        while len(self._sounds) > _REMEMBERED:
            self._sounds.popitem(last=False)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._render_wanted())
        return sound

    async def _render_wanted(self) -> None:
        """Render what is wanted, one at a time, the most urgent first. What was asked for twice is rendered once."""
        while True:
            _, _, words, sound = await self._wanted.get()
            if sound.done():
                continue
            try:
                sound.set_result(await self._render(words))
            except SpeechLostError as error:
                sound.set_exception(error)

    async def _render(self, words: Words) -> bytes:
        begun = asyncio.get_running_loop().time()
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    sound = await self._ask(words)
            except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as failure:
                self._log.warning("speech process lost", attempt=attempt, error=repr(failure))
                self.healthy = False
                await self._discard()
                self._on_restart()
                continue
            self.healthy = True
            self._on_render(asyncio.get_running_loop().time() - begun)
            return sound
        raise SpeechLostError("the speech process does not answer")

    async def _ask(self, words: Words) -> bytes:
        language, text = words
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch.voice.speech", stdin=PIPE, stdout=PIPE)
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("no pipes")
        self._number += 1
        request = RenderRequest(number=self._number, language=language, words_per_minute=self._words_per_minute[language], text=text)
        stdin.write(request.model_dump_json().encode() + b"\n")
        await stdin.drain()
        answer = RenderAnswer.model_validate_json(await stdout.readuntil(b"\n"))
        if answer.number != request.number:
            raise ValueError("answer to another request")
        sound = await stdout.readexactly(answer.size)
        if answer.error:
            raise SpeechLostError(answer.error)
        return sound

    async def _discard(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End the speech process."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        await self._discard()
