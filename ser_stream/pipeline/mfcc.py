"""Blocks of samples -> MFCC frames; the one implementation, used by training too.

Equals ``librosa.feature.mfcc(S=librosa.power_to_db(melspectrogram(..., center=False) +
floor, amin=1e-14, top_db=None), n_mfcc=39)`` within 1e-3, with the floor that
`ser_stream.pipeline.floor` adds, if any. No ``top_db``, which looks at the
whole array's maximum and so cannot stream; a periodic Hann taper; no centring.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

# Now, and not at the first word that is spoken: that may be when no file can be opened.
from numpy.fft import rfft
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.values import SAMPLE_RATE, Block, FloatArray


@dataclass(frozen=True, slots=True)
class MfccConfig:
    """Every parameter of the MFCC; part of the front-end hash of a bundle."""

    sample_rate: int = SAMPLE_RATE
    """Hertz."""
    frame_length: int = 800
    """Samples; 50 ms. Also the FFT size."""
    hop_length: int = 200
    """Samples; 12.5 ms."""
    n_mels: int = 128
    n_mfcc: int = 39
    amin: float = 1e-14
    """Floor of the mel power before the logarithm."""
    taper: str = "hann-periodic"
    mel: str = "slaney"
    dct: str = "II-ortho"
    """Or `none`: the mel bands in decibels as they are, `n_mfcc` of them."""

    @property
    def frames_per_block(self) -> int:
        """Frames that a block completes; 8, or 10 where they come every 10 ms."""
        return BLOCK_LENGTH // self.hop_length

    @property
    def complete(self) -> int:
        """Frames that block m completes the last of, less `frames_per_block` m."""
        return (BLOCK_PHASE - self.frame_length) // self.hop_length + 1


N_MFCC = 39
_BANDS_AT_ONCE = 32
LOG_MEL = MfccConfig(frame_length=400, hop_length=160, n_mels=80, n_mfcc=80, dct="none")
"""What Whisper hears: 80 mel bands of 25 ms every 10 ms."""


def hz_to_mel(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hertz -> mel on Slaney's scale: linear below 1 kHz, logarithmic above."""
    mels = frequencies / (200.0 / 3)
    log_part = 15.0 + np.log(np.maximum(frequencies, 1e-9) / 1000.0) / (
        np.log(6.4) / 27.0
    )
    return np.where(frequencies >= 1000.0, log_part, mels)


def mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mel -> Hertz; the inverse of `hz_to_mel`."""
    log_part = 1000.0 * np.exp((np.log(6.4) / 27.0) * (mels - 15.0))
    return np.where(mels >= 15.0, log_part, mels * (200.0 / 3))


def mel_filter_bank(config: MfccConfig) -> NDArray[np.float64]:
    """Triangular Slaney filters of equal area, shape (n_mels, frame_length // 2 + 1).

    Source: ``librosa.filters.mel`` (Slaney's Auditory Toolbox, 1998).
    """
    nyquist = config.sample_rate / 2
    bins = np.linspace(0, nyquist, config.frame_length // 2 + 1)
    top_mel = hz_to_mel(np.array([nyquist]))[0]
    edges = mel_to_hz(np.linspace(0.0, top_mel, config.n_mels + 2))
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    result: NDArray[np.float64] = weights * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return result


def dct_matrix(n_out: int, n_in: int) -> NDArray[np.float64]:
    """Orthonormal DCT-II, shape (n_out, n_in)."""
    k = np.arange(n_out)[:, None]
    n = np.arange(n_in)[None, :]
    matrix: NDArray[np.float64] = np.cos(np.pi * k * (2 * n + 1) / (2 * n_in))
    matrix *= np.sqrt(2.0 / n_in)
    matrix[0] /= np.sqrt(2.0)
    return matrix


def taper_of(config: MfccConfig) -> NDArray[np.float64]:
    """The periodic Hann window, shape (frame_length,)."""
    n = np.arange(config.frame_length)
    taper: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * n / config.frame_length)
    return taper


class _Bands(NamedTuple):
    """Some neighbouring mel bands, and the bins that they are made of."""

    bands: slice
    bins: slice
    weights: NDArray[np.float64]
    """(bins, bands)."""


class _Tables(NamedTuple):
    taper: NDArray[np.float64]
    mel: tuple[_Bands, ...]
    dct: NDArray[np.float64]


@lru_cache(maxsize=4)
def _tables(config: MfccConfig) -> _Tables:
    return _Tables(
        taper_of(config),
        tuple(_bands(mel_filter_bank(config).T)),
        np.ascontiguousarray(dct_matrix(config.n_mfcc, config.n_mels).T),
    )


def _bands(filters: NDArray[np.float64]) -> Iterator[_Bands]:
    # Nearly all of the filters is zeros: in parts, a quarter of it is read.
    n_bands = filters.shape[1]
    for first in range(0, n_bands, _BANDS_AT_ONCE):
        bands = slice(first, min(first + _BANDS_AT_ONCE, n_bands))
        used = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        yield _Bands(bands, bins, np.ascontiguousarray(filters[bins, bands]))


def mfcc_of_frames(
    frames: NDArray[np.floating], config: MfccConfig | None = None
) -> FloatArray:
    """Frames of samples, shape (n, 800) -> MFCCs, shape (n, 39)."""
    config = config or MfccConfig()
    return mfcc_of_power(power_spectrum(frames, config), config)


def power_spectrum(
    frames: NDArray[np.floating], config: MfccConfig
) -> NDArray[np.float64]:
    """Frames of samples, shape (n, 800) -> tapered power spectra, shape (n, 401).

    In float64: in float32 a loud partial raises the floor of quiet bands, and the sum
    over 128 bands of digital silence is off by 1.5e-3.
    """
    spectrum = rfft(frames * _tables(config).taper, axis=-1)
    power: NDArray[np.float64] = spectrum.real**2 + spectrum.imag**2
    return power


def mfcc_of_power(power: NDArray[np.float64], config: MfccConfig) -> FloatArray:
    """Power spectra, shape (n, 401) -> MFCCs, shape (n, 39)."""
    return mfcc_of_mel(mel_power(power, config), config)


def mel_power(power: NDArray[np.float64], config: MfccConfig) -> NDArray[np.float64]:
    """Power spectra, shape (n, 401) -> power of the mel bands, shape (n, 128)."""
    result = np.empty((len(power), config.n_mels))
    for bands, bins, weights in _tables(config).mel:
        np.matmul(power[:, bins], weights, out=result[:, bands])
    return result


def mfcc_of_mel(mel: NDArray[np.float64], config: MfccConfig) -> FloatArray:
    """Power of the mel bands, shape (n, 128) -> MFCCs, shape (n, 39)."""
    decibels = 10.0 * np.log10(np.maximum(mel, config.amin))
    if config.dct == "none":
        return decibels.astype(np.float32)
    result: FloatArray = (decibels @ _tables(config).dct).astype(np.float32)
    return result


class Mfcc:
    """Blocks -> the 8 frames each one completes, keeping 600 samples between them.

    With another configuration other numbers, but always the same for every block.
    """

    def __init__(
        self,
        config: MfccConfig | None = None,
        features: Callable[[FloatArray], FloatArray] | None = None,
    ) -> None:
        """`features`: frames of samples, (m, frame_length) -> (m, n); None: MFCC alone.

        It is called once a block, m at most `frames_per_block`.
        """
        self.config = config or MfccConfig()
        self._features = features or partial(mfcc_of_frames, config=self.config)
        config = self.config
        # The last frame of a block need not end with it.
        spare = (BLOCK_PHASE - config.frame_length) % config.hop_length
        self._carry = config.frame_length - config.hop_length + spare
        self._buffer = np.zeros(self._carry + BLOCK_LENGTH, np.float32)
        self._frames = np.lib.stride_tricks.sliding_window_view(
            self._buffer, self.config.frame_length
        )[:: self.config.hop_length]

    def reset(self) -> None:
        self._buffer[:] = 0.0

    def prime(self, block: Block) -> None:
        """Take `block` as the one before the next, without its frames."""
        self._buffer[self._carry :] = block.samples

    def feed(self, block: Block) -> tuple[int, FloatArray]:
        """Compute the frames that end in `block`.

        Returns:
            Index of the first frame on the absolute grid (frame i starts at sample
            200 i, or by the hop), and features of shape (m, 39); m is 8, or less where
            a stream or a gap has just begun: frames that reach before `valid_from` are
            left out.
        """
        first, n = self.take(block)
        return first, self._features(self._frames[len(self._frames) - n :])

    def take(self, block: Block) -> tuple[int, int]:
        """Take in a block; as `frames_of`. They are the last ones of `samples`."""
        if block.first:
            self.reset()
        self._buffer[: self._carry] = self._buffer[BLOCK_LENGTH:]
        self._buffer[self._carry :] = block.samples
        return self.frames_of(block)

    @property
    def samples(self) -> FloatArray:
        """Of the frames of a block, a view: it, and those before it that they reach."""
        return self._buffer

    def cut(self, blocks: Sequence[Block]) -> tuple[int, FloatArray, list[int]]:
        """The frames of many blocks in a row, not yet their features.

        Returns:
            Index of the first frame, the frames as a view, (m, frame_length), and how
            many of them end in each block; 0 in one where a stream has just begun.
        """
        if blocks[0].first:
            self.reset()
        samples = np.concatenate(
            [self._buffer[BLOCK_LENGTH:], *(block.samples for block in blocks)]
        )
        self._buffer[:] = samples[-len(self._buffer) :]
        # A view by hand: numpy's own way to it takes as long as the spectra.
        frames = as_strided(
            samples,
            (self.config.frames_per_block * len(blocks), self.config.frame_length),
            (self.config.hop_length * samples.itemsize, samples.itemsize),
            writeable=False,
        )
        found = [self.frames_of(block) for block in blocks]
        counts = [n for _, n in found]
        skip = self.config.frames_per_block * len(blocks) - sum(counts)
        first = next((first for first, n in found if n), found[-1][0])
        return first, frames[skip : skip + sum(counts)], counts

    def frames_of(self, block: Block) -> tuple[int, int]:
        """Index of the first frame that a block completes, and how many there are.

        None reaches before `valid_from`.
        """
        per_block = self.config.frames_per_block
        first = per_block * (block.index - 1) + self.config.complete
        skip = max(0, -(-block.valid_from // self.config.hop_length) - first)
        return first + skip, max(0, per_block - skip)
