"""How the server is: for the figures, `status`, systemd and whoever restarts it.

Any thread may ask, and it is asked for where all else hangs: nothing here waits.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ser_stream import __version__
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.metrics.health import Health, latency_ms
from ser_stream.metrics.serve_figures import ServeFigures
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.service.memory import resident_bytes
from ser_stream.sinks import LinkState, Publisher, Sink

HUNG_S = 30.0
"""Seconds without a sign of life after which a thread counts as hung."""


class ServerState:
    def __init__(
        self, server: AudioServer, sinks: Sequence[Sink], file: Path | None
    ) -> None:
        """Look at a server, its outputs, and the file of its settings."""
        self._server = server
        self._senders = server.senders
        self._publishers = [sink for sink in sinks if isinstance(sink, Publisher)]
        self._file = file
        self._started = time.monotonic()

    @property
    def _links(self) -> list[LinkState]:
        return [link for sink in self._publishers for link in sink.links]

    @property
    def _seen(self) -> dict[str, float]:
        """Monotonic seconds of each thread's last sign of life, by its name."""
        return {
            "sockets": self._server.seen,
            "compute": self._senders.compute.occupation.seen,
        }

    # For whoever restarts it.

    def hung(self) -> str:
        """Which thread has hung; empty if none has."""
        now = time.monotonic()
        for name, seen in self._seen.items():
            if now - seen > HUNG_S:
                return f"thread {name} has hung for {now - seen:.0f} s"
        return ""

    def not_ready(self) -> str:
        """Why no audio is taken; empty where it is, also where all is full."""
        return self.hung() or self._server.not_ready()

    def health(self) -> Health:
        """What systemd's watchdog goes by.

        Its beats are milliseconds; they stand still when a thread has hung.
        """
        vouched_s = min(time.monotonic(), min(self._seen.values()) + HUNG_S)
        return Health(known=True, beats=int(vouched_s * 1000))

    def text(self) -> str:
        """One line for `systemctl status`."""
        senders = self._senders
        text = f"taking audio with model {senders.model.bundle.name}: "
        text += f"{senders.open.total()} of {senders.max_subscribers} streams"
        late = senders.late()
        return f"{text}, {late} late" if late else text

    # For whoever looks.

    def figures(self) -> ServeFigures:
        """For Prometheus."""
        senders, bundle = self._senders, self._senders.model.bundle
        tally, occupation = senders.tally, senders.compute.occupation
        return ServeFigures(
            model=bundle.name,
            model_sha256=bundle.sha256,
            adapted=bundle.adapted,
            streams=self._by_kind(senders.open),
            clients=self._by_kind(senders.counts),
            max_streams=senders.max_subscribers,
            late=senders.late(),
            opened=tally.opened,
            refused=dict(tally.refused),
            ended=dict(tally.ended),
            heard=tally.sums(),
            dropped=senders.dropped,
            compute_s={
                "realtime": occupation.realtime_s,
                "fast": occupation.fast_s,
            },
            inputs=self._server.inputs,
            links=self._links,
        )

    def _by_kind(self, counts: "dict[str, int]") -> dict[str, int]:
        # Those without any, too.
        kinds = sorted({address.kind for address in self._server.addresses})
        return {kind: counts.get(kind, 0) for kind in kinds}

    def status(self, kind: str) -> dict[str, Any]:
        """As `ser-stream status` shows it; `kind` is the address of who asks.

        Names of streams are not in it: whoever may send is told of nobody else.
        """
        now = self.figures()
        share = self._senders.compute.occupation.share()
        trouble = self._trouble(now)
        answer: dict[str, Any] = {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "degraded": bool(trouble),
            "paused": False,
            "streams": {
                "open": dict(now.streams),
                "most": now.max_streams,
                "late": now.late,
                "opened": now.opened,
                "refused": dict(now.refused),
                "ended": dict(now.ended),
            },
            "clients": dict(now.clients),
            "audio": {
                "state": "healthy",
                "detail": trouble,
                "device": "",
                "heard_s": round(now.heard.end / SAMPLE_RATE, 1),
                "overflows": now.heard.overflows,
                "gaps": now.heard.gaps,
                "lost_s": round(now.heard.lost_samples / SAMPLE_RATE, 3),
            },
            "model": {
                "name": now.model,
                "sha256": now.model_sha256,
                "adapted": now.adapted,
            },
            "adaptation": None,
            "steps": now.heard.steps,
            "emotions": now.heard.emotions,
            "dropped": now.dropped,
            "latency_ms": latency_ms(self._senders.latencies),
            "busy": {name: round(part, 3) for name, part in share._asdict().items()},
            "inputs": dict(now.inputs),
            "brokers": [link._asdict() for link in self._links],
            "rss_mb": round(resident_bytes() / 1e6, 1),
        }
        if kind == "unix":
            # What is a matter of this machine.
            file = None if self._file is None else str(self._file)
            answer |= {"pid": os.getpid(), "config": file}
        return answer

    def _trouble(self, now: ServeFigures) -> str:
        """What the operator should look at; empty if nothing."""
        if wrong := self.not_ready():
            return wrong
        if now.late:
            return f"{now.late} streams are late; the machine is too slow or too busy"
        return ""
