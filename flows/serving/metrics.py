"""What Prometheus reads at /metrics: requests by path and status, their times, and the vectors that are served."""

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from flows.access.guard import App, Message, Receive, Scope, Send
from flows.serving.limits import VectorSource

TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)  # the buckets of times


class Measures(Collector):
    """The metrics of one application."""

    def __init__(self, source: VectorSource) -> None:
        self._source, self.registry = source, CollectorRegistry()
        labels = ["method", "path", "status"]
        self.requests = Counter("w2v_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "w2v_request_seconds", "Time until the answer.", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield what is served at present."""
        now = self._source.now
        words, dimensions = now.learnt.table.shape
        yield InfoMetricFamily("w2v_model", "The vectors that are served.", {"run": now.run, "version": now.version})
        yield GaugeMetricFamily("w2v_words", "Words with a vector.", words)
        yield GaugeMetricFamily("w2v_dimensions", "Numbers of a vector.", dimensions)

    def page(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self.registry)


class Measured:
    """An application whose requests are counted and timed; paths that it does not have are one."""

    def __init__(self, app: App, measures: Measures, paths: set[str]) -> None:
        self._app, self._measures, self._paths = app, measures, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, said = time.perf_counter(), {"status": 500}

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                said["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            method: Any = scope["method"] if scope["method"] in ("GET", "POST") else "other"
            self._measures.requests.labels(method, path, said["status"]).inc()
            self._measures.seconds.labels(path).observe(time.perf_counter() - started)
