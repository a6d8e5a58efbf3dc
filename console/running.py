"""Everything that a running console holds, made from its settings and started and stopped together."""

from console.access.access import Access
from console.answers import Answers
from console.changes import Changes, Read
from console.health import Doctor
from console.metrics import Metrics
from console.settings import ConsoleSettings
from console.store import Store
from core.clock import Clock, SystemClock


class Running:
    """The parts of one console."""

    def __init__(self, settings: ConsoleSettings, read_changed: Read, real_clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = settings.clock()
        self.metrics = Metrics()
        self.store = Store(settings.postgres_dsn.get_secret_value())
        # Signing in lasts for hours of people's time, however fast the platform's clock runs.
        self.access = Access(self.store, settings, real_clock or SystemClock(), self.clock)
        self.answers = Answers(self.store, settings.answer_wait_s)
        self.changes = Changes(
            self.store,
            read_changed,
            self.clock,
            self.metrics,
            queue_max=settings.stream_queue_max,
            clients_max=settings.stream_clients_max,
            heartbeat_s=settings.heartbeat_s,
        )
        self.doctor = Doctor(
            self.store,
            {"line": settings.line_health_url, "dispatch": settings.dispatch_health_url, "voice": settings.voice_health_url},
        )

    async def start(self) -> None:
        """Start all parts; none of them waits for the database."""
        await self.store.start()
        self.access.start()
        self.answers.start()
        self.changes.start()

    async def stop(self) -> None:
        """Stop all parts."""
        await self.changes.stop()
        await self.answers.stop()
        await self.access.stop()
        await self.doctor.stop()
        await self.store.stop()
