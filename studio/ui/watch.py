"""What a host watches: numbers for Prometheus, a line for every request that is worth one, whether the server is well.

Neither numbers nor lines hold anybody's texts: of an address only the pattern of its route is kept, never its query.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from secrets import compare_digest
from typing import Any

import psutil
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, exposition
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.settings import LOOPBACK, Settings

SLOW_S = 1.0
"""A request that takes longer has a line in the log."""
STREAMS = ("/gradio_api/heartbeat", "/gradio_api/queue/data")
"""Answers that last as long as a page is open."""

log = logging.getLogger("studio.requests")


class Watch:
    """ASGI middleware, outermost: counts and times requests."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry):
        self.app = app
        self._seconds = Histogram(
            "studio_request_seconds",
            "Time until a request was answered.",
            ["route", "method"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )
        self._answers = Counter("studio_requests", "Requests that were answered.", ["status"], registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(STREAMS):
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - begun
            route = getattr(scope.get("route"), "path", "") or "other"
            self._seconds.labels(route, scope["method"]).observe(seconds)
            self._answers.labels(f"{status // 100}xx").inc()
            if (status >= 400 and status != 401) or seconds >= SLOW_S or scope["method"] not in ("GET", "HEAD"):
                told = {
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(1000 * seconds),
                    "account": scope.get("state", {}).get("account", ""),
                }
                log.info("%(method)s %(route)s %(status)s in %(ms)s ms, %(account)s", told, extra=told)


class Numbers(Collector):
    """What is so with a studio at the moment it is asked."""

    def __init__(self, studio: Any):
        self._studio = studio

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        studio = self._studio
        for noun, states in studio.counts().items():
            family = GaugeMetricFamily(f"studio_{noun}", f"{noun.capitalize()} by state.", labels=["state"])
            for state, many in states.items():
                family.add_metric([state], many)
            yield family
        disk = shutil.disk_usage(studio.workspace.path)
        process = psutil.Process()
        for name, words, value in (
            ("studio_queue_wait_seconds", "How long the run waits that is queued longest.", studio.longest_wait_s()),
            ("studio_supervisor_age_seconds", "Since the supervisor last looked at everything.", studio.looked_s_ago()),
            ("studio_disk_free_bytes", "Room left on the workspace's disk.", disk.free),
            ("studio_disk_total_bytes", "Size of the workspace's disk.", disk.total),
            ("studio_memory_bytes", "Memory of the server's process.", process.memory_info().rss),
            ("studio_threads", "Threads of the server's process.", process.num_threads()),
        ):
            yield GaugeMetricFamily(name, words, value)


STUCK_S = 60
"""A supervisor that has not looked for so long is stuck: a full disk, a database that is locked for good."""


def add_watch(app: FastAPI, studio: Any, settings: Settings, boot: str) -> None:
    """``/healthz`` and ``/metrics``, and the middleware that counts. ``boot``: changes with every start of the server."""
    registry = CollectorRegistry()
    registry.register(Numbers(studio))
    app.add_middleware(Watch, registry=registry)

    @app.get("/healthz")
    def healthz() -> Response:
        """For whoever restarts what is not well: 503 once the supervisor is stuck."""
        stuck = studio.looked_s_ago() > STUCK_S
        words = "the supervisor is stuck; the server's log says why" if stuck else "ok"
        return JSONResponse({"status": words, "boot": boot}, 503 if stuck else 200)

    @app.get("/metrics")
    def metrics(request: Request) -> Response:
        """For Prometheus: with STUDIO_METRICS_TOKEN to whoever has it, otherwise to this machine only."""
        token = settings.metrics_token.get_secret_value()
        if token:
            may = compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())
        else:
            direct = not any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
            may = direct and request.client is not None and request.client.host in LOOPBACK
        if not may:
            return PlainTextResponse("Not found.", 404)
        return Response(exposition.generate_latest(registry), media_type=exposition.CONTENT_TYPE_LATEST)
