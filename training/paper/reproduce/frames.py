"""Which frames a system hears."""

from ser_stream.pipeline.mfcc import MfccConfig
from training.paper.cut_ends import CutPaddedMfccConfig
from training.paper.mfcc_cache import MFCC
from training.paper.padded_mfcc import PaddedMfccConfig
from training.paper.reproduce.constants import (
    AS_PUBLISHED,
    CUT_ENDS,
    PUBLISHED_FEATURES,
    RIVAL_NETWORKS,
)
from training.paper.rival_networks import LOG_MEL

MFCC_22050 = MfccConfig(sample_rate=22_050, frame_length=1102, hop_length=276)
"""At librosa's own rate, which the published features have."""


N_SAMPLES = {"casia": 88_000, "emodb": 96_000, "savee": 130_000, "ravdess": 110_000}
"""At 22,050 Hz, as the group's README (TIM-Net_SER) has them."""
N_SAMPLES_CROSS = 96_000
"""Of all corpora: for this we take the 96 in the names of the folders that the paper's
own code reads across corpora (`CASIA_transfer_96`, `EMODB_transfer_96`)."""


def frames_config(system: str, place: str) -> MfccConfig:
    """CPAC's MFCCs, or others."""
    if system.endswith(AS_PUBLISHED):
        return PaddedMfccConfig(n_samples=N_SAMPLES_CROSS)
    if system == CUT_ENDS:
        return CutPaddedMfccConfig(n_samples=N_SAMPLES[place])
    if system.endswith(PUBLISHED_FEATURES):
        return PaddedMfccConfig(n_samples=N_SAMPLES[place])
    if system in RIVAL_NETWORKS:
        return LOG_MEL
    return MFCC_22050 if system == "cpac-22050-hz" else MFCC
