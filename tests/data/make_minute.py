# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "soundfile>=0.12"]
# ///
"""Join EmoDB clips with pauses into one minute, and write down each clip's place.

The pauses hold noise at about -70 dBFS: real rooms are never digitally silent.

    python make_minute.py --emodb DIR --out emodb_minute.flac
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16_000
LENGTH = 60 * SAMPLE_RATE
SEED = 2005
NOISE_DBFS = -70.0
PAUSE_S = (0.8, 1.5)
EMOTIONS = {"W": "angry", "A": "fear", "F": "happy", "N": "neutral", "T": "sad"}


def candidates(folder: Path, rng: np.random.Generator) -> list[Path]:
    """Clips in turns of the five emotions, each from another speaker than the last."""
    files = [
        path
        for path in sorted([*folder.glob("*.flac"), *folder.glob("*.wav")])
        if len(path.stem) == 7 and path.stem[5] in EMOTIONS
    ]
    shuffled = [files[i] for i in rng.permutation(len(files))]
    order: list[Path] = []
    while len(order) < 40:
        for code in rng.permutation(list(EMOTIONS)):
            speaker = order[-1].stem[:2] if order else ""
            path = next(
                p for p in shuffled if p.stem[5] == code and p.stem[:2] != speaker
            )
            shuffled.remove(path)
            order.append(path)
    return order


def main() -> None:
    """Write the recording and its CSV."""
    parser = argparse.ArgumentParser(description="Join EmoDB clips")
    parser.add_argument("--emodb", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--out", type=Path, required=True, help="FLAC file to write")
    arguments = parser.parse_args()

    rng = np.random.default_rng(SEED)
    signal = rng.standard_normal(LENGTH) * 10 ** (NOISE_DBFS / 20)
    rows = []
    position = 0
    for path in candidates(arguments.emodb, rng):
        # A pause precedes each clip; the pause after the last fills the minute.
        start = position + round(float(rng.uniform(*PAUSE_S)) * SAMPLE_RATE)
        clip, rate = soundfile.read(path)
        assert rate == SAMPLE_RATE, path
        assert clip.ndim == 1, path
        end = start + len(clip)
        spare = LENGTH - end
        if spare < PAUSE_S[0] * SAMPLE_RATE:
            # Too long; a shorter clip later in the list may fit.
            continue
        signal[start:end] = clip
        rows.append(
            {
                "start_ms": start * 1000 / SAMPLE_RATE,
                "end_ms": end * 1000 / SAMPLE_RATE,
                "speaker": path.stem[:2],
                "emotion": EMOTIONS[path.stem[5]],
                "file": path.name,
            }
        )
        position = end
        if spare <= PAUSE_S[1] * SAMPLE_RATE:
            break
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(arguments.out, signal, SAMPLE_RATE, subtype="PCM_16")
    with arguments.out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
