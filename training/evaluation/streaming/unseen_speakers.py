"""Which network scores which speakers: none scores those in its training."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser_stream.errors import ConfigError, ModelError
from ser_stream.model import runtime_config
from ser_stream.pipeline.bundle import Bundle, file_hash
from ser_stream.pipeline.recognizer import OnnxRecognizer, Recognizer
from ser_stream.pipeline.recording import Recording, record
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint
from training.evaluation.calibration import fit_calibration
from training.evaluation.clip_steps import ClipSteps, TorchRecognizer, of_labels
from training.evaluation.crossval import scored_corpora
from training.evaluation.streaming.streams import Joined, Plan, join
from training.recipe.model import build_model


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedNetwork:
    """A network with its calibration, which scores clips."""

    recognizer: Recognizer
    clip_temperature: float = 1.0
    """Of the mean score of a whole clip; see `Calibration`."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Speakers who are not in the training of the networks that score them."""

    name: str
    judged_by: str
    utterances: list[Utterance]
    network: Callable[[Utterance], CalibratedNetwork]
    """Whose scores count for this clip; the same for all clips of a speaker."""

    def record(self, clip: Utterance, samples: FloatArray, bundle: Bundle) -> Recording:
        """Run samples of the clip's speaker through the network of that speaker."""
        recognizer = self.network(clip).recognizer
        return record(samples, recognizer, bundle.front_end, runtime_config(bundle))

    def streams(
        self, plans: Iterable[Plan], bundle: Bundle
    ) -> Iterator[tuple[Plan, Joined, Recording]]:
        """Make each stream that is planned, and run it."""
        for plan in plans:
            joined = join(plan)
            clip = plan.segments[0][0]
            yield plan, joined, self.record(clip, joined.samples, bundle)


def trained_corpora(bundle: Bundle) -> set[str]:
    """The folders of the corpora that a bundle says it was trained on."""
    return {str(c.get("folder")) for c in bundle.manifest.get("corpora", ())}


def unseen_corpora(bundle: Bundle, folder: Path, names: Sequence[str]) -> list[Group]:
    """Whole corpora, scored by the bundle's own graphs.

    Raises:
        ConfigError: if the bundle was trained on one of them.
        SourceError: if one is not there.
    """
    trained = trained_corpora(bundle)
    network = CalibratedNetwork(OnnxRecognizer(bundle), bundle.clip_temperature)
    groups = []
    for name in names:
        if name in trained:
            raise ConfigError(
                f"{name} is no unseen corpus: model {bundle.name} was trained on it; "
                "its speakers can be scored by --crossval"
            )
        clips = of_labels(load_corpora(folder, [name]), name, bundle.labels)
        groups.append(Group(name, "the bundle", clips, lambda _: network))
    return groups


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One network of a cross-validation, and its training speakers."""

    speakers: frozenset[str]
    """Of its training, as `corpus/speaker`."""
    corpora: tuple[str, ...]
    """Those whose speakers folds hold out."""
    network: CalibratedNetwork


def unseen_speakers(run: Path, bundle: Bundle, folder: Path) -> list[Group]:
    """The speakers that folds of a cross-validation held out, by corpus.

    Each is scored by the network of the fold that held it out, with temperatures that
    were fitted on the speakers of the other folds.

    Raises:
        ModelError: if the run has no two finished folds.
        ConfigError: if it has other labels, or another front end, than the bundle.
        SourceError: if one of its corpora is not there.
    """
    folds = _folds(run, bundle)
    groups = []
    for corpus in folds[0].corpora:
        clips = load_corpora(folder, [corpus])
        networks = {
            person: fold.network
            for person in {clip.person for clip in clips}
            for fold in reversed(folds)
            if person not in fold.speakers
        }
        # A corpus that only helps in training is held out by no fold.
        clips = [
            clip
            for clip in clips
            if clip.person in networks and clip.emotion in bundle.labels
        ]
        if clips:
            groups.append(
                Group(
                    f"unseen speakers of {corpus}",
                    f"{len(folds)} networks of the cross-validation",
                    clips,
                    lambda clip, networks=networks: networks[clip.person],  # type: ignore[misc]
                )
            )
    if not groups:
        raise ConfigError(
            f"the folds of {run} held out no speaker of "
            f"{', '.join(folds[0].corpora)} in {folder}"
        )
    return groups


def crossval_hashes(run: Path) -> list[str]:
    """What tells one cross-validation from another: SHA-256 of its networks."""
    return [file_hash(path) for path in _checkpoints(run)]


def _checkpoints(run: Path) -> list[Path]:
    found = sorted(run.glob("fold-*/checkpoint.pt"))
    if len(found) < 2:
        raise ModelError(
            f"{run} is no cross-validation: it needs two folds or more, each "
            "fold-K/checkpoint.pt; `python -m training crossval CONFIG` makes one"
        )
    return found


def _folds(run: Path, bundle: Bundle) -> list[Fold]:
    paths = _checkpoints(run)
    steps = [_steps(path.with_name("steps.json")) for path in paths]
    folds = []
    for i, path in enumerate(paths):
        saved = load_checkpoint(path)
        try:
            model, config = build_model(saved)
            speakers = frozenset(str(name) for name in saved["speakers"])
        except (KeyError, RuntimeError, ConfigError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{path} is not of this version: {reason}") from None
        if config.labels != bundle.labels:
            raise ConfigError(
                f"{path} knows {', '.join(config.labels)}; model {bundle.name} knows "
                f"{', '.join(bundle.labels)}: give the bundle's own cross-validation"
            )
        if config.front_end.hash != bundle.front_end.hash:
            raise ConfigError(
                f"{path} was trained on another front end than model {bundle.name}: "
                "give the bundle's own cross-validation"
            )
        others = [c for j, clips in enumerate(steps) if j != i for c in clips]
        calibration = fit_calibration(others, bundle.max_columns)
        network = CalibratedNetwork(
            TorchRecognizer(model, config.labels, calibration.temperatures),
            calibration.clip_temperature,
        )
        # A corpus that knows some classes only is in training in every fold.
        corpora = tuple(scored_corpora(config))
        folds.append(Fold(speakers, corpora, network))
    return folds


def _steps(path: Path) -> list[ClipSteps]:
    try:
        made = json.loads(path.read_text("utf-8"))
        return [ClipSteps(**clip) for clip in made["clips"]]
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror}; is this fold finished?"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{path} was not written by `training crossval`") from None
