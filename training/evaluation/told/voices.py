"""What a network says of the clips of a corpus, before it is told anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.recognizer import clip_scores, softmax
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.evaluation.heard_clip import HeardClip, heard_of_clip
from training.evaluation.loco import NEUTRAL
from training.recipe.config import TrainConfig
from training.recipe.speaker_memory import CLIP_S


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """The clips with speech of a corpus that a network never heard."""

    layer: LastLayer
    labels: tuple[str, ...]
    clips: Sequence[HeardClip]
    means: FloatArray
    """Features of each clip, (n, n_features)."""
    targets: NDArray[np.intp]
    speakers: NDArray[np.str_]

    @staticmethod
    def of(
        model: Cpac,
        layer: LastLayer,
        config: TrainConfig,
        utterances: Sequence[Utterance],
        cache: Path,
        *,
        progress: bool,
    ) -> "Voices":
        """Run the clips; those in which the gate hears no speech are left out."""
        bar = tqdm(utterances, "hearing", unit="clip", disable=not progress)
        heard = [(u, heard_of_clip(model, config, u, cache)) for u in bar]
        spoken = [(u, clip) for u, clip in heard if clip.columns]
        return Voices(
            layer,
            config.labels,
            [clip for _, clip in spoken],
            np.array([clip.mean for _, clip in spoken]),
            np.array([config.labels.index(u.emotion) for u, _ in spoken]),
            np.array([u.speaker for u, _ in spoken]),
        )

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def neutral(self) -> NDArray[np.bool_]:
        """Which of the clips are neutral, (n,)."""
        return np.array([self.labels[i] == NEUTRAL for i in self.targets])

    @property
    def classes(self) -> NDArray[np.intp]:
        return np.unique(self.targets)

    def of_speaker(self, speaker: str) -> NDArray[np.intp]:
        return np.flatnonzero(self.speakers == speaker)

    def mean_of(
        self, clips: NDArray[np.intp], targets: NDArray[np.intp] | None = None
    ) -> FloatArray:
        """The mean of somebody of whom these clips were heard, (n_features,).

        Args:
            clips: that were heard.
            targets: what they are said to be; None: what the network takes them for.
        """
        heard = self.means[clips]
        if not len(clips):
            return self.layer.mean
        if targets is None:
            scores = softmax(self.layer.logits(heard - self.layer.mean))
        else:
            scores = np.eye(len(self.labels), dtype=np.float32)[targets]
        own = heard - [self.layer.of_emotion(each) for each in scores]
        total = np.float32(CLIP_S) * own.sum(0)
        return self.layer.mean_of(total, CLIP_S * len(clips))

    def say(self, i: int, mean: FloatArray, taught: FloatArray | None = None) -> int:
        """The class of a clip, if its speaker has this mean."""
        clip = self.clips[i]
        centred = clip.features - mean
        logits = self.layer.logits(centred)
        if taught is not None:
            logits += centred @ taught.T
        return int(clip_scores(softmax(logits), clip.columns, 1.0).argmax())
