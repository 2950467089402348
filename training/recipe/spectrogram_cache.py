"""Clips -> mel spectra and pitchograms of their variants, computed once, kept on disk.

Between the waveform and the MFCC lies the mel spectrum in decibels: there noise adds,
colour and level are sums, and another vocal tract is a stretch of the axis. So it is
what is kept, as float16.
"""

import hashlib
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.floor import band_shares
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.mfcc import (
    MfccConfig,
    mel_power,
    power_spectrum,
)
from ser_stream.pipeline.normalise import C0_PER_DB
from ser_stream.pipeline.pitch import PitchConfig, pitchogram
from ser_stream.pipeline.vad import SpeechGate
from ser_stream.pipeline.values import SAMPLE_RATE, Block, Chunk, FloatArray
from training.corpora import Utterance
from training.corpora.utterance import corpus_folder, read_samples
from training.engine.array_file import Arrays, cached_arrays
from training.recipe.waveform_augment import VARIANTS

FORMAT = 2
"""Raised when what is computed changes."""
MFCC, PITCH = MfccConfig(), PitchConfig()
CPAC_SPECTRA = FrontEndConfig(MFCC, pitch=PITCH)
"""What is computed where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Spectra:
    """One variant of one clip."""

    mel: NDArray[np.float16]
    """(T, n_mels), decibels; 128 bands for CPAC."""
    pitch: NDArray[np.float16]
    """(T, 39), see `ser_stream.pipeline.pitch`; (T, 0) without."""
    begin: int
    """Frame in which speech begins."""
    end: int
    """Frame after that in which it ends."""
    level: float
    """Mean power of the speech, dB as mel bands read it."""
    peak: float
    """Largest c0."""
    loudest: float
    """Power of the loudest frame, dB as mel bands read it."""


def mel_and_pitch(
    samples: FloatArray, front_end: FrontEndConfig = CPAC_SPECTRA
) -> tuple[NDArray[np.float16], ...]:
    """Mel spectra in dB, (T, n_mels), and pitchograms, (T, 39), of at least 0.5 s."""
    config = front_end.mfcc
    samples = np.pad(samples, (0, max(0, CPAC.first_step - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, config.frame_length)
    power = power_spectrum(frames[:: config.hop_length], config)
    mel = 10.0 * np.log10(np.maximum(mel_power(power, config), config.amin))
    if front_end.pitch is None:
        return mel.astype(np.float16), np.zeros((len(mel), 0), np.float16)
    pitch = pitchogram(power, front_end.pitch, config)
    return mel.astype(np.float16), pitch.astype(np.float16)


def level_of(mel: NDArray[np.floating], config: MfccConfig = MFCC) -> float:
    """Mean power of mel spectra in dB, (T, n_mels), as white noise of that reads."""
    return float(10.0 * np.log10(frame_power(mel, config).mean() + 1e-14))


def frame_power(
    mel: NDArray[np.floating], config: MfccConfig = MFCC
) -> NDArray[np.floating]:
    """Power of each frame of mel spectra in dB, (T, n_mels) -> (T,)."""
    return (10.0 ** (mel.astype(np.float32) / 10.0)) @ band_shares(config)


def speech_span(samples: FloatArray) -> tuple[int, int]:
    """First sample of speech and the one after the last, by the runtime's VAD.

    The whole clip where the VAD finds nothing; the level is set to what it finds best.
    """
    gate, began = SpeechGate(), None
    # At -26 dBFS; a little silence so that the last block comes out.
    loud = samples * np.float32(0.05 / (np.sqrt(np.mean(np.square(samples))) + 1e-9))
    padded = np.pad(loud, (0, SAMPLE_RATE // 5)).astype(np.float32)
    for block in Blocker().feed(Chunk(0, padded)):
        if isinstance(block, Block):
            reading = gate.feed(block)
            if began is None:
                began = reading.began
    if began is None:
        return 0, len(samples)
    return began, min(len(samples), began + gate.speech_samples)


def clip_spectra(
    utterances: Sequence[Utterance],
    cache: Path,
    *,
    front_end: FrontEndConfig = CPAC_SPECTRA,
    plain: Container[str] = (),
    progress: bool = True,
) -> list[list[Spectra]]:
    """Every clip's variants, in the order of `VARIANTS`.

    Of clips of the corpora `plain` the first variant alone, the clip as it is.

    A file in `cache` holds one clip; it is made anew when the clip's size or time of
    change differs.
    """
    bar = tqdm(utterances, "spectra", unit="clip", disable=not progress)
    every = list(VARIANTS)
    return [
        _of_clip(u, cache, every[:1] if u.corpus in plain else every, front_end)
        for u in bar
    ]


def _of_clip(
    utterance: Utterance,
    cache: Path,
    variants: Sequence[str],
    front_end: FrontEndConfig,
) -> list[Spectra]:
    name = f"{utterance.clip}-{spectra_key(utterance, variants, front_end)}.npz"
    kept = cached_arrays(
        cache / corpus_folder(utterance.corpus) / name,
        lambda: _packed(list(_computed(utterance, variants, front_end))),
    )
    return _unpacked(kept["mel"], kept["pitch"], kept["numbers"])


def _packed(variants: Sequence[Spectra]) -> Arrays:
    return {
        "mel": np.concatenate([v.mel for v in variants]),
        "pitch": np.concatenate([v.pitch for v in variants]),
        "numbers": np.array(
            [(len(v.mel), v.begin, v.end, v.level, v.peak, v.loudest) for v in variants]
        ),
    }


def _unpacked(
    mel: NDArray[np.float16], pitch: NDArray[np.float16], numbers: NDArray[np.float64]
) -> list[Spectra]:
    ends = np.cumsum(numbers[:, 0]).astype(int)
    parts = zip(
        np.split(mel, ends[:-1]), np.split(pitch, ends[:-1]), numbers, strict=True
    )
    return [
        Spectra(m, p, int(begin), int(end), *map(float, levels))
        for m, p, (_, begin, end, *levels) in parts
    ]


def _computed(
    utterance: Utterance, variants: Sequence[str], front_end: FrontEndConfig
) -> Iterator[Spectra]:
    config = front_end.mfcc
    samples = read_samples(utterance.path)
    begin, end = speech_span(samples)
    # The same variants whichever clips are computed beside it.
    rng = np.random.default_rng(zlib.crc32(utterance.name.encode()))
    for variant in variants:
        heard = VARIANTS[variant](samples, rng)
        mel, pitch = mel_and_pitch(heard, front_end)
        scale = len(heard) / len(samples) / config.hop_length
        first = min(int(begin * scale), len(mel) - 8)
        last = min(max(int(end * scale), first + 8), len(mel))
        peak = float(mel.astype(np.float32).sum(1).max()) / C0_PER_DB
        loudest = 10.0 * float(np.log10(frame_power(mel, config).max() + 1e-14))
        level = level_of(mel[first:last], config)
        yield Spectra(mel, pitch, first, last, level, peak, loudest)


def spectra_key(
    utterance: Utterance, variants: Sequence[str], front_end: FrontEndConfig
) -> str:
    """What tells the spectra of a clip from those of its file before a change."""
    stat = utterance.path.stat()
    spectra = (front_end.mfcc, front_end.pitch)
    what = (FORMAT, *spectra, list(variants), stat.st_size, stat.st_mtime_ns)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]
