"""What was measured of a model, beside its manifest: shown, and never needed to run."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from ser_stream.pipeline.bundle import Bundle, write_json

EVIDENCE = "evidence.json"
FORMAT = 1
SECTIONS = (
    "thresholds_chosen_by",
    "training",
    "metrics",
    "unseen",
    "stream_eval",
    "parity",
)
_LOGGER = logging.getLogger(__name__)


def read_evidence(bundle: Bundle) -> dict[str, Any]:
    """What was measured of a bundle, by section; empty where nothing is known.

    What is damaged, or of another model, is passed over with a warning: it is no reason
    not to use the model. A manifest of format 1 has the evidence in it.
    """
    path = bundle.folder / EVIDENCE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["model"]["sha256"] == bundle.sha256:
            return {key: found[key] for key in SECTIONS if key in found}
        _LOGGER.warning("%s was measured on another model and is not shown", path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError):
        _LOGGER.warning("%s cannot be read, and is not shown", path)
    return {key: bundle.manifest[key] for key in SECTIONS if key in bundle.manifest}


def write_evidence(bundle: Bundle, evidence: Mapping[str, Any]) -> None:
    """Write what was measured of a bundle, and which model that is."""
    model = {"name": bundle.name, "sha256": bundle.sha256}
    content = {"format": FORMAT, "model": model, **evidence}
    write_json(bundle.folder / EVIDENCE, content)
