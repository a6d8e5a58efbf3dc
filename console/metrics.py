"""What the console counts of itself. One registry a console, so that two in one process do not share figures."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest


class Metrics:
    """The console's instruments."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "gas_sentinel_http_requests",
            "HTTP requests by route and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "gas_sentinel_http_request_seconds",
            "time to the first byte of the answer, s",
            ["method", "route"],
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.stream_clients = Gauge("gas_sentinel_stream_clients", "clients of the event stream", registry=self.registry)
        self.stream_cut_off = Counter("gas_sentinel_stream_cut_off", "clients cut off: too slow", registry=self.registry)
        self.stream_events = Counter("gas_sentinel_stream_events", "events told, by name", ["event"], registry=self.registry)
        self.listening = Gauge("gas_sentinel_stream_listening", "1 while the database's notices arrive", registry=self.registry)
        self.healthy = Gauge("gas_sentinel_leak_can_be_handled", "1 when the last health check was green", registry=self.registry)

    def text(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)
