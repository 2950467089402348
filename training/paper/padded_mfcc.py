"""Samples -> MFCCs as the authors' group computes them: of padded clips, to a peak.

The paper's repository does not extract features. That of the group's next paper does
(Ye et al., ICASSP 2023, github.com/Jiaxin-Ye/TIM-Net_SER, `Code/extract_feature.py`),
for CASIA into a folder named alike: `CASIA_MFCC_88`, and `CASIA_88` in the paper's. It
calls `librosa.feature.mfcc(y, sr=22050, n_mfcc=39)` and leaves all else to librosa, so
that frames are of 93 ms, every 23 ms, although both texts say 50 and 12.5. librosa is
of 0.11 here and was of 0.8 there, where ends were reflected and resampling another.
"""

from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.mfcc import MfccConfig, mel_power, mfcc_of_mel, power_spectrum
from ser_stream.pipeline.values import FloatArray


@dataclass(frozen=True, slots=True)
class PaddedMfccConfig(MfccConfig):
    """librosa's defaults, on clips of one length."""

    sample_rate: int = 22_050
    frame_length: int = 2_048
    hop_length: int = 512
    amin: float = 1e-10
    n_samples: int = 88_000
    """To which clips are padded with zeros at both ends, or cut."""
    top_db: float = 80.0
    """Bands lie at most so far below the loudest of their clip."""

    @property
    def n_frames(self) -> int:
        return 1 + self.n_samples // self.hop_length


def padded_mfcc(samples: FloatArray, config: PaddedMfccConfig) -> FloatArray:
    """MFCCs of one recording, (n_frames, 39); frames are centred on their samples.

    Equals `librosa.feature.mfcc` of the padded samples within 2e-3 (decibels, times the
    square root of 128 in the first).

    Args:
        samples: at `config.sample_rate`, in -1 to 1.
        config: the frames and the length.
    """
    lacking = config.n_samples - len(samples)
    if lacking < 0:
        samples = samples[-lacking // 2 :][: config.n_samples]
    else:
        samples = np.pad(samples, (lacking // 2, lacking - lacking // 2))
    samples = np.pad(samples, config.frame_length // 2)
    frames = np.lib.stride_tricks.sliding_window_view(samples, config.frame_length)
    mel = mel_power(power_spectrum(frames[:: config.hop_length], config), config)
    floor = mel.max() * 10.0 ** (-config.top_db / 10.0)
    return mfcc_of_mel(np.maximum(mel, floor), config)
