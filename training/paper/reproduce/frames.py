"""Which frames a system hears."""

from ser_stream.pipeline.mfcc import MfccConfig
from training.paper.mfcc_cache import MFCC
from training.paper.reproduce.constants import RIVAL_NETWORKS
from training.paper.rival_networks import LOG_MEL

MFCC_22050 = MfccConfig(sample_rate=22_050, frame_length=1102, hop_length=276)
"""At librosa's own rate, which the published features have."""


def frames_config(system: str) -> MfccConfig:
    """CPAC's MFCCs, or others."""
    if system in RIVAL_NETWORKS:
        return LOG_MEL
    return MFCC_22050 if system == "cpac-22050-hz" else MFCC
