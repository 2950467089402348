"""What rounds cost a live daemon: latency and steps, with adaptation and without."""

from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.bundle import DEFAULT_MODEL, load_bundle
from training.corpora import load_corpora
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result
from training.evaluation.adaptation.attacks import SEED
from training.evaluation.adaptation.conversation import looped, talk, write_recording
from training.evaluation.adaptation.run_daemon import DaemonRun, run_daemon
from training.evaluation.adaptation.settings import AdaptEvalConfig
from training.protocols.names import PAPER_CLASSES

EVERY_S = 60.0
"""New speech between rounds: so short that some fall into the run."""
CORPUS = "savee"


@dataclass(frozen=True, slots=True)
class Live(Experiment[AdaptEvalConfig]):
    """The same recording at real-time pace, with `--adapt` or without."""

    adapt: bool

    @property
    def name(self) -> str:
        return f"cost/live-{'with' if self.adapt else 'without'}-adapt"

    def config(self, settings: AdaptEvalConfig) -> Result:
        return {
            "model": DEFAULT_MODEL,
            "corpus": CORPUS,
            "adapt": self.adapt,
            "scope": settings.scope,
            "every_s": EVERY_S,
            "seconds": settings.live_s,
            "latency": (
                "from the source handing over a step's last sample until its line is "
                "ready to be written"
            ),
        }

    def compute(self, settings: AdaptEvalConfig, progress: Progress) -> Result:
        clips = load_corpora(settings.corpora, [CORPUS])
        spoken = talk([u for u in clips if u.emotion in PAPER_CLASSES], SEED)
        folder = settings.out / self.name
        recording = folder / "heard.flac"
        seconds = write_recording(recording, looped(spoken, settings.live_s), SEED)
        run = run_daemon(
            recording,
            load_bundle(DEFAULT_MODEL),
            folder / "daemon",
            scope=settings.scope,
            every_s=EVERY_S,
            pace="realtime",
            adapt=self.adapt,
            say=progress.say,
        )
        recording.unlink()
        return {
            "audio_s": round(seconds, 1),
            **latency(run, seconds),
            "rounds": run.history,
            "events": run.events,
        }


def latency(run: DaemonRun, seconds: float) -> Result:
    """Percentiles, milliseconds, and steps that never came."""
    times = np.array(run.latencies_ms)
    # The first step falls due at sample 8200, the others 0.2 s after each other.
    due = 1 + int((seconds - 0.5125) / 0.2)
    return {
        "steps": len(times),
        "steps_skipped": due - len(times),
        "latency_ms_p50": round(float(np.percentile(times, 50)), 2),
        "latency_ms_p99": round(float(np.percentile(times, 99)), 2),
        "latency_ms_most": round(float(times.max()), 2),
    }
