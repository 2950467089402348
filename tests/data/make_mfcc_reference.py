# /// script
# requires-python = ">=3.11"
# dependencies = ["librosa==0.11.0", "numpy>=1.26", "soundfile>=0.12"]
# ///
"""Write librosa's MFCCs of the clips, which `test_mfcc.py` compares with.

And its mel bands of one, as the voice encoder takes them, for `voices/test_encoder.py`.

    python make_mfcc_reference.py

For each case, `NAME` holds MFCCs of shape (n, 39) from `signals` below.
"""

from pathlib import Path

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

HERE = Path(__file__).parent
SAMPLE_RATE = 16_000


def signals() -> dict[str, NDArray[np.float32]]:
    """The signals of the cases; `test_mfcc.py` makes the same."""
    clips = {
        path.stem: soundfile.read(path, dtype="float32")[0]
        for path in sorted(HERE.glob("???????.flac"))
    }
    result = dict(clips)
    result["quiet"] = clips["08a04Ff"] * np.float32(1e-3)
    result["silence"] = clips["03a01Wa"].copy()
    result["silence"][8000:16000] = 0.0
    return result


def mfcc(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """MFCCs by librosa, shape (n, 39)."""
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=SAMPLE_RATE,
        n_fft=800,
        hop_length=200,
        window="hann",
        center=False,
        power=2.0,
        n_mels=128,
    )
    decibels = librosa.power_to_db(power, amin=1e-14, top_db=None)
    result: NDArray[np.float32] = librosa.feature.mfcc(S=decibels, n_mfcc=39).T
    return result.astype(np.float32)


def mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of 40 mel bands by librosa, shape (n, 40)."""
    power: NDArray[np.float32] = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=40, center=False
    )
    return power.T


if __name__ == "__main__":
    arrays = {name: mfcc(samples) for name, samples in signals().items()}
    np.savez_compressed(HERE / "mfcc_reference.npz", **arrays)  # type: ignore[arg-type]
    np.save(HERE / "mel_reference.npy", mel(signals()["03a01Wa"]))
