"""`ser-stream model show` and `verify`."""

import json
from typing import Any

from ser_stream.bundle import Bundle, load_bundle
from ser_stream.commands.output import write
from ser_stream.recognizer import OnnxRecognizer


def show(model: str, as_json: bool) -> None:
    """Print a bundle's manifest, as JSON or for people."""
    bundle = load_bundle(model)
    if as_json:
        text = json.dumps(bundle.manifest, indent=2, ensure_ascii=False)
    else:
        text = _describe(bundle)
    write(text + "\n")


def verify(model: str) -> None:
    """Load a bundle whole, its graphs too.

    Raises:
        ModelError: with the reason, if anything is wrong.
    """
    bundle = load_bundle(model)
    OnnxRecognizer(bundle)
    write(f"{bundle.folder}: whole, model {bundle.name}, sha256 {bundle.sha256}\n")


def _describe(bundle: Bundle) -> str:
    manifest, kind = bundle.manifest, bundle.front_end.normalise.kind
    rows: list[tuple[str, Any]] = [
        ("name", bundle.name),
        ("labels", ", ".join(bundle.labels)),
        ("licence", bundle.licence),
        ("sha256", bundle.sha256),
        ("folder", bundle.folder),
        (
            "front end",
            f"{bundle.front_end.hash[:16]} ({kind})",
        ),
        ("window", f"1 to {bundle.max_columns} columns"),
    ]
    for corpus in manifest.get("corpora", ()):
        rows.append(("trained on", f"{corpus['name']} ({corpus['licence']})"))
    metrics = manifest.get("metrics", {})
    if metrics:
        rows.append(("protocol", metrics["protocol"]))
        for name in ("UAR", "WAR", "ECE"):
            if name in metrics:
                rows.append((name, f"{metrics[name]}"))
    rows.append(("card", bundle.folder / "card.md"))
    return "\n".join(f"{key:<10}  {value}" for key, value in rows)
