"""Names and counts that the runner and the page of results share."""

from training.corpora.known import PAPER

SCHEMA = 1
"""Of the files of results."""
PROTOCOLS = ("paper-10fold", "emobox", "loso", "cross")
PUBLISHED_FEATURES = "-published-features"
"""Ends the names of networks that hear MFCCs as the authors' group computes them, and
not as the paper's text says: `training.paper.padded_mfcc`."""
READINGS = (
    "cpac" + PUBLISHED_FEATURES,
    "cpac-as-published-code",
    "cpac-as-written",
    "cpac-streaming",
)
"""What CPAC can be taken to be; the first two differ in their input, the last is what a
daemon can run."""
TRAINED_AS_PUBLISHED = "cpac-raw-mfcc-batch-64"
THROUGHOUT = TRAINED_AS_PUBLISHED + PUBLISHED_FEATURES
"""Code, features and training as published."""
CUT_ENDS = "cpac-cut-ends" + PUBLISHED_FEATURES
"""The first reading of CPAC, on clips whose ends are cut at random."""
VARIANTS = ("cpac-raw-mfcc", TRAINED_AS_PUBLISHED, "cpac-22050-hz", THROUGHOUT)
"""CPAC as published code with choices of the paper for ours: why are we below it?"""
AS_PUBLISHED = "-as-published"
"""Ends the names of systems across corpora whose network and training are those of the
authors' repository, on features assumed as with `PUBLISHED_FEATURES`."""
SOURCE_LEVELS = "-source-levels"
"""Ends the names of systems across corpora that hear the target at the source's mean
and deviation: no statistics of the target help them."""
JOINT = "cpac-joint"
"""One network for all corpora of EmoBox's folds: `python -m training emobox-joint`."""
JOINT_OWN = "cpac-joint-own"
"""The same, gone on with for some epochs on the scored corpus alone."""
JOINT_WHISPER = "whisper-joint"
"""As `JOINT`, with Whisper's first blocks in front of CPAC's head."""
BASELINES = ("compare-svm", "egemaps-svm")
"""openSMILE with an SVM; no part of the paper."""
RIVAL_NETWORKS = ("cnn", "light-cnn", "cnn-3d")
"""Stand-ins for families of networks that the paper's Table 1 names."""
UNHEARD = "clip-length"
"""The label of the clip of the nearest length: what a corpus gives away."""
RIVALS = ("compare-svm", *RIVAL_NETWORKS, "echo-state", UNHEARD)
"""All families of Table 1, and the check by length."""
SUPERVISED = ("caam+svm", "dann+svm", "cdan+svm", "nmftsl+svm")
"""Of Table S5: an SVM, with labels of the target, on a method's features."""
N_PAPER_FOLDS = 10
N_EMOBOX_FOLDS = {"casia": 4, "emodb": 5, "savee": 4, "ravdess": 6}
SPEAKERS = {corpus: tuple(of.counts.speakers) for corpus, of in PAPER.items()}
