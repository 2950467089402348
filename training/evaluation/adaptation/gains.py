"""Does it help? Adapted to one half of a corpus's speakers, scored on the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from training.corpora import Utterance, load_corpora
from training.corpora.limit import limited
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result
from training.evaluation.adaptation.conversation import (
    PAUSE_S,
    ROOM_DBFS,
    TURN,
    talk,
    with_pause,
    write_recording,
)
from training.evaluation.adaptation.offline_baselines import (
    METHODS,
    heard_windows,
    written,
)
from training.evaluation.adaptation.run_daemon import run_daemon
from training.evaluation.adaptation.score import (
    DECISION,
    compared,
    predictions,
    sheet,
)
from training.evaluation.adaptation.settings import AdaptEvalConfig
from training.evaluation.adaptation.source_bundle import prepare
from training.evaluation.crossval import speaker_folds
from training.protocols.names import PAPER_CLASSES


@dataclass(frozen=True, slots=True)
class Gain(Experiment[AdaptEvalConfig]):
    """One source network, one half of the speakers of one target."""

    source: str
    target: str
    seed: int
    half: int
    """Half of the target's speakers, 1 or 2, that is adapted to."""

    @property
    def name(self) -> str:
        return f"gains/{self.source}-{self.target}-seed-{self.seed}-half-{self.half}"

    def config(self, settings: AdaptEvalConfig) -> Result:
        return {
            **asdict(self),
            "classes": list(PAPER_CLASSES),
            "pause_s": PAUSE_S,
            "turn_clips": TURN,
            "room_dbfs": ROOM_DBFS,
            "decision": DECISION,
            **settings.protocol,
        }

    def compute(self, settings: AdaptEvalConfig, progress: Progress) -> Result:
        begun = prepare(self.source, self.seed, settings.corpora, settings.out)
        target = load_corpora(settings.corpora, [self.target])
        adapted_to, scored = (
            limited(half, settings.limit)
            for half in halves(target, self.target, self.half)
        )
        parts = {
            "target": scored,
            # Harm is measured on source speakers who are not in the training.
            "source": limited(begun.split.score, settings.limit),
        }
        folder = settings.out / self.name
        recording = folder / "heard.flac"
        spoken = map(with_pause, talk(adapted_to, self.seed))
        seconds = write_recording(recording, spoken, self.seed)
        daemon = run_daemon(
            recording,
            begun.bundle,
            folder / "daemon",
            scope=settings.scope,
            every_s=settings.every_s,
            say=progress.say,
        )
        said = {
            part: {
                "before": predictions(begun.bundle, clips),
                "adapt": predictions(daemon.final, clips),
            }
            for part, clips in parts.items()
        }
        windows = heard_windows(recording, begun.bundle)
        offline = {}
        for method, run in METHODS.items():
            network, about = run(begun, windows, self.seed)
            offline[method] = about
            bundle = written(network, begun, folder / method, method)
            for part, clips in parts.items():
                said[part][method] = predictions(bundle, clips)
        result: Result = {
            "labels": list(begun.bundle.labels),
            "source_bundle_sha256": begun.bundle.sha256,
            "pack_sha256": begun.pack.sha256,
            "heard": {
                "clips": len(adapted_to),
                "speakers": sorted({u.speaker for u in adapted_to}),
                "audio_s": round(seconds, 1),
                "speech_s": round(daemon.speech_s, 1),
                "windows": len(windows),
                "wall_s": round(daemon.wall_s, 1),
            },
            "rounds": daemon.history,
            "events": daemon.events,
            "offline": offline,
        }
        for part, clips in parts.items():
            result[part] = sheet(clips, begun.bundle.labels)
            result[part]["predicted"] = said[part]
            result[part]["methods"] = {
                method: compared(result[part], said[part]["before"], found)
                for method, found in said[part].items()
                if method != "before"
            }
        result["versions"] = [
            {
                "sha256": version.sha256,
                "predicted": said["target"]["adapt"]
                if version.sha256 == daemon.final.sha256
                else predictions(version, scored),
            }
            for version in daemon.versions
        ]
        recording.unlink()
        return result


def halves(
    clips: Sequence[Utterance], target: str, half: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Clips of the five classes to adapt to, and those to be scored."""
    speakers = speaker_folds(clips, target, 2)[half - 1]
    kept = [u for u in clips if u.corpus == target and u.emotion in PAPER_CLASSES]
    return (
        [u for u in kept if u.speaker in speakers],
        [u for u in kept if u.speaker not in speakers],
    )


def all_gains(settings: AdaptEvalConfig) -> list[Gain]:
    return [
        Gain(source, target, seed, half)
        for seed in settings.seeds
        for source, target in (pair.split("-") for pair in settings.pairs)
        for half in (1, 2)
    ]
