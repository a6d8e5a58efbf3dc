"""What the voice worker counts, for ``/metrics``."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

CALLS: Final = Counter("gas_sentinel_voice_calls_total", "Calls that ended, by reason", ["reason", "line"])
UNDER_WAY: Final = Gauge("gas_sentinel_voice_calls_under_way", "Calls between request and end")
PLACING: Final = Histogram(
    "gas_sentinel_voice_placing_seconds",
    "From the request to the INVITE",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
RENDER: Final = Histogram(
    "gas_sentinel_voice_render_seconds",
    "Rendering one sentence",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
SPEECH_RESTARTS: Final = Counter("gas_sentinel_voice_speech_restarts_total", "Speech processes that had to be replaced")
REFUSED: Final = Counter("gas_sentinel_voice_requests_refused_total", "Lines from dispatch that were no request")
UNREPORTED: Final = Gauge("gas_sentinel_voice_events_unreported", "Events that wait for dispatch to connect")
RECORDINGS_BYTES: Final = Gauge("gas_sentinel_voice_recordings_bytes", "Size of the kept recordings")
RECORDINGS_LOST: Final = Counter("gas_sentinel_voice_recordings_lost_total", "Recordings not kept, by reason", ["reason"])
FORGOTTEN: Final = Counter("gas_sentinel_voice_events_forgotten_total", "Events dropped because dispatch stayed away too long")
