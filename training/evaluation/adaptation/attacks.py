"""Can it be made to harm? An hour of what it should learn nothing from.

Each attack is played to the daemon with the packaged bundle and pack. Every version
that it accepts is scored on speakers who are neither in training nor in the attack.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.adaptation.child.windows import LabelledWindows, read_windows
from ser_stream.adaptation.pack import CANARY, Pack, find_pack, load_pack
from ser_stream.pipeline.bundle import DEFAULT_MODEL, Bundle, load_bundle
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance, load_corpora
from training.corpora.limit import limited
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result
from training.evaluation.adaptation.confident_errors import confident_errors
from training.evaluation.adaptation.conversation import (
    for_seconds,
    looped,
    talk,
    with_pause,
    write_recording,
)
from training.evaluation.adaptation.gains import halves
from training.evaluation.adaptation.music_attack import (
    PIECE_S,
    minutes,
    music,
    stillness,
)
from training.evaluation.adaptation.run_daemon import run_daemon
from training.evaluation.adaptation.score import (
    DECISION,
    balanced,
    compared,
    predictions,
    sheet,
    window_predictions,
)
from training.evaluation.adaptation.settings import AdaptEvalConfig
from training.evaluation.adaptation.summary import verdicts
from training.evaluation.streaming.noises import load_noises, training_of
from training.evaluation.streaming.nonspeech import pieces, voices

SEED = 98
N_SCORED = {"ravdess": 240, "casia": 150, "savee": 150}
"""Clips of each corpus that every accepted version is scored on."""
EVERY_S = 360.0
"""New speech between two rounds: ten rounds in an hour that is all speech."""
LANGUAGE_TURN_S = 300.0
TARGETS = ("casia", "savee")
"""Their speakers of half 1 may speak in an attack, those of half 2 are scored."""

Make = Callable[[AdaptEvalConfig, Bundle], Iterator[FloatArray]]


def silence(settings: AdaptEvalConfig, bundle: Bundle) -> Iterator[FloatArray]:
    """An empty room."""
    return minutes(stillness, settings.attack_s, SEED)


def noise(settings: AdaptEvalConfig, bundle: Bundle) -> Iterator[FloatArray]:
    """Recordings, alone and two at a time, coloured noise and faults, at all levels.

    A sixth of it are recordings with a voice, such as a crying baby.
    """
    found = load_noises(settings.corpora / "noise", training_of(bundle))
    plain = [one for one in found if not one.has_voice]
    voiced = [one for one in found if one.has_voice]
    n = int(np.ceil(settings.attack_s / PIECE_S))
    with_voice = islice(voices(voiced, SEED), n // 6)
    every = chain(pieces(plain, n - n // 6, SEED), with_voice)
    return (piece.make() for piece in every)


def one_emotion(settings: AdaptEvalConfig, bundle: Bundle) -> Iterator[FloatArray]:
    """Speech that is angry throughout."""
    clips = _attacking(settings, "casia") + _attacking(settings, "emodb")
    angry = [clip for clip in clips if clip.emotion == "angry"]
    return looped(talk(angry, SEED), settings.attack_s)


def songs(settings: AdaptEvalConfig, bundle: Bundle) -> Iterator[FloatArray]:
    """Music, half of it a lead that sings vowels without any words."""
    return minutes(music, settings.attack_s, SEED)


def languages(settings: AdaptEvalConfig, bundle: Bundle) -> Iterator[FloatArray]:
    """Mandarin and English, back and forth every five minutes."""
    said = [
        map(with_pause, cycle(talk(_attacking(settings, corpus), SEED)))
        for corpus in TARGETS
    ]
    for i in range(int(np.ceil(settings.attack_s / LANGUAGE_TURN_S))):
        yield from for_seconds(said[i % 2], LANGUAGE_TURN_S)


def hostile(settings: AdaptEvalConfig, bundle: Bundle) -> Iterator[FloatArray]:
    """One speaker, who says over and over what the model is surely wrong about.

    The attacker knows the labels: this is the one place where target labels choose.
    """
    clips = _attacking(settings, "savee")
    return looped(confident_errors(clips, bundle), settings.attack_s)


ATTACKS: dict[str, Make] = {
    "silence": silence,
    "noise": noise,
    "one-emotion": one_emotion,
    "music": songs,
    "languages": languages,
    "hostile-speaker": hostile,
}


@dataclass(frozen=True, slots=True)
class Attack(Experiment[AdaptEvalConfig]):
    """One of `ATTACKS`."""

    kind: str

    @property
    def name(self) -> str:
        return f"attacks/{self.kind}"

    def config(self, settings: AdaptEvalConfig) -> Result:
        return {
            "attack": self.kind,
            "model": DEFAULT_MODEL,
            "hours": settings.hours,
            "seed": SEED,
            "decision": DECISION,
            **settings.protocol,
            "every_s": EVERY_S,
        }

    def compute(self, settings: AdaptEvalConfig, progress: Progress) -> Result:
        bundle = load_bundle(DEFAULT_MODEL)
        pack = load_pack(find_pack(bundle), bundle)
        folder = settings.out / self.name
        recording = folder / "heard.flac"
        sound = ATTACKS[self.kind](settings, bundle)
        seconds = write_recording(recording, sound, SEED)
        daemon = run_daemon(
            recording,
            bundle,
            folder / "daemon",
            scope=settings.scope,
            every_s=EVERY_S,
            say=progress.say,
        )
        speakers = ScoredSpeakers.of(settings, bundle, pack)
        accepted = [
            {"sha256": version.sha256, **speakers.scored(version)}
            for version in daemon.versions
        ]
        recording.unlink()
        return {
            "attack": self.kind,
            "about": (ATTACKS[self.kind].__doc__ or "").splitlines()[0],
            "labels": list(bundle.labels),
            "bundle_sha256": bundle.sha256,
            "pack_sha256": pack.sha256,
            "audio_s": round(seconds, 1),
            "speech_s": round(daemon.speech_s, 1),
            "wall_s": round(daemon.wall_s, 1),
            "rounds": daemon.history,
            "rounds_by_verdict": verdicts(daemon.history),
            "events": daemon.events,
            "in_force_at_the_end": daemon.final.sha256,
            "scored": speakers.sheet,
            "before": speakers.before,
            "accepted": accepted,
            "harm": harms(accepted),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSpeakers:
    """Speakers who are neither in an attack nor in the model's training; the canary."""

    clips: list[Utterance]
    sheet: dict[str, list[Any]]
    before: list[int]
    canary: LabelledWindows
    canary_sheet: dict[str, list[Any]]
    canary_before: list[int]

    @classmethod
    def of(
        cls, settings: AdaptEvalConfig, bundle: Bundle, pack: Pack
    ) -> "ScoredSpeakers":
        found: list[Utterance] = []
        for corpus, n in N_SCORED.items():
            clips_of: Sequence[Utterance] = _clips_of(settings.corpora, corpus)
            if corpus in TARGETS:
                clips_of = halves(clips_of, corpus, 1)[1]
            found += balanced(clips_of, n, bundle.labels, SEED)
        clips = limited(found, settings.limit)
        canary = read_windows(pack.folder / CANARY)
        names = pack.manifest["canary"]["speakers"]
        of_canary = {
            "speaker": [names[i] for i in canary.speaker],
            "truth": [int(label) for label in canary.label],
        }
        return cls(
            clips,
            sheet(clips, bundle.labels),
            predictions(bundle, clips),
            canary,
            of_canary,
            window_predictions(bundle, canary),
        )

    def scored(self, version: Bundle) -> Result:
        said = predictions(version, self.clips)
        of_canary = window_predictions(version, self.canary)
        return {
            "predicted": said,
            "sets": {
                **by_corpus(self.sheet, self.before, said),
                "canary": compared(self.canary_sheet, self.canary_before, of_canary),
            },
        }


def by_corpus(
    clips: dict[str, list[Any]], before: Sequence[int], after: Sequence[int]
) -> dict[str, Result]:
    """The change on all clips, and on those of each corpus."""
    corpus = [speaker.partition("/")[0] for speaker in clips["speaker"]]
    result = {"all": compared(clips, before, after)}
    for name in sorted(set(corpus)):
        rows = [i for i, of in enumerate(corpus) if of == name]
        part = {key: [values[i] for i in rows] for key, values in clips.items()}
        result[name] = compared(
            part, [before[i] for i in rows], [after[i] for i in rows]
        )
    return result


def harms(accepted: Sequence[Result]) -> list[str]:
    """Of which accepted version, on which set, the whole interval is below 0."""
    return [
        f"{version['sha256'][:12]} on {name}"
        for version in accepted
        for name, found in version["sets"].items()
        if found["gain_interval"] is not None and found["gain_interval"][1] < 0
    ]


@cache
def _clips_of(corpora: Path, corpus: str) -> tuple[Utterance, ...]:
    return tuple(load_corpora(corpora, [corpus]))


def _attacking(settings: AdaptEvalConfig, corpus: str) -> list[Utterance]:
    clips = _clips_of(settings.corpora, corpus)
    return limited(halves(clips, corpus, 1)[0], settings.limit)
