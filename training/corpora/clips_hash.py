"""What tells one set of clips from another, for results and checkpoints to keep."""

import hashlib
import json
from collections.abc import Iterable

from training.corpora.utterance import Utterance


def clips_hash(*groups: Iterable[Utterance]) -> str:
    """16 hexadecimal digits of the clips' names, speakers, emotions and file sizes.

    Their order counts too: what is drawn from a seed depends on it.

    Args:
        groups: clips in one role each: those that are learned, those that are scored.

    Raises:
        OSError: if a file is not there.
    """
    rows = [
        [[u.name, u.speaker, u.emotion, u.path.stat().st_size] for u in group]
        for group in groups
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
