"""The speech process: render requests on stdin, sound on stdout, until stdin ends. Everything else goes to stderr."""

import signal
import sys

from dispatch.voice.speech.espeak import Espeak, SpeechError
from dispatch.voice.speech.frames import RenderAnswer, RenderRequest
from dispatch.voice.speech.resample import resample

TELEPHONE_HZ = 8000


def main() -> None:
    """Serve until the worker closes the pipe; a Ctrl-C on the terminal is the worker's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    espeak = Espeak()
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        request = RenderRequest.model_validate_json(line)
        sound, error = b"", ""
        try:
            spoken = espeak.speak(request.text, request.language, request.words_per_minute)
            sound = resample(spoken, espeak.rate_hz, TELEPHONE_HZ)
        except SpeechError as failure:
            error = str(failure)
        out.write(RenderAnswer(number=request.number, size=len(sound), error=error).model_dump_json().encode() + b"\n")
        out.write(sound)
        out.flush()


if __name__ == "__main__":
    main()
