"""`ser-stream model list`, `use`, `show` and `verify`."""

import logging
import os
import shlex
from pathlib import Path
from typing import Any

from ser_stream.adaptation.pack import grown_from
from ser_stream.commands.output import aligned, write, write_json
from ser_stream.config import KEYS, build_config, default_path
from ser_stream.config.edit import set_values
from ser_stream.config.for_model import pipeline_config
from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.bundle import (
    CARD,
    Bundle,
    find_bundle,
    load_bundle,
    named_bundles,
)
from ser_stream.pipeline.bundle_evidence import read_evidence
from ser_stream.pipeline.recognizer import OnnxRecognizer

_LOGGER = logging.getLogger(__name__)


def show(model: str, as_json: bool) -> None:
    bundle = load_bundle(model)
    if as_json:
        write_json({**bundle.manifest, **read_evidence(bundle)}, indent=2)
    else:
        write(_describe(bundle) + "\n")


def verify(model: str) -> None:
    """Load a bundle whole, its graphs too.

    Raises:
        ModelError: with the reason, if anything is wrong.
    """
    bundle = load_bundle(model)
    OnnxRecognizer(bundle)
    origin = _origin(bundle)
    model = f"{bundle.name}, {origin}" if origin else bundle.name
    write(f"{bundle.folder}: whole, model {model}, sha256 {bundle.sha256}\n")


def list_models(default: str, as_json: bool) -> None:
    """Print the bundles that have a name, and the default if it has none."""
    rows = [
        _row(name, folder, _is_same(default, folder))
        for name, folder in named_bundles().items()
    ]
    if not any(row["default"] for row in rows):
        # A folder, or nothing at all: then its row says so.
        rows.append(_row(default, Path(default), True))
    if as_json:
        write_json(rows, indent=2)
    else:
        write(_table(rows))


def use(model: str, file: Path | None) -> None:
    """Make a bundle the default: verify it whole, then write it into the file.

    Raises:
        ModelError: if anything is wrong with the bundle; nothing is written then.
        ConfigError: if the file cannot be changed, or its settings do not suit the
            model.
    """
    path = file or default_path()
    # What the file says: the environment of this moment is none of its business.
    before = build_config(path, {}, begin=True, environment={})
    bundle = load_bundle(model)
    OnnxRecognizer(bundle)
    name = _shortest_name(bundle.folder)
    try:
        pipeline_config(before, bundle)
    except ConfigError as error:
        raise ConfigError(
            f"{path} has settings that model {name} would not start with, so nothing "
            f"was changed: {error}"
        ) from None
    restriction = bundle.restriction
    terms = f"licence: {bundle.licence}" + (f"; {restriction}" if restriction else "")
    if _is_same(before.model, bundle.folder):
        write(f"{name} is the default already; nothing was changed\n{terms}\n")
        return
    set_values(path, {"model": name})
    if os.environ.get(KEYS["model"].variable):
        _LOGGER.warning(
            "%s is set in the environment and still wins", KEYS["model"].variable
        )
    undo = f"ser-stream model use {shlex.quote(before.model)}"
    if file is not None:
        undo += f" --config {shlex.quote(str(file))}"
    write(
        f"{name} is the default now: {path} says so, and --model still wins\n"
        f"labels: {', '.join(bundle.labels)}\n{terms}\nundo: {undo}\n"
    )
    if before.smoothing:
        _LOGGER.warning(
            "%s has [smoothing] of its own, which still holds and may have been chosen "
            "for model %s; `ser-stream tune` chooses it anew",
            path,
            before.model,
        )


def _shortest_name(folder: Path) -> str:
    """What the configuration calls a bundle: its name, or else its whole path."""
    # A name that stands for another folder is none of this one.
    for name, path in named_bundles().items():
        if os.path.realpath(path) == os.path.realpath(folder):
            return name
    return os.path.abspath(folder)  # noqa: PTH100  links stay as the user wrote them


def _is_same(model: str, folder: Path) -> bool:
    try:
        return os.path.realpath(find_bundle(model)) == os.path.realpath(folder)
    except ModelError:
        return False


def _origin(bundle: Bundle) -> str | None:
    """What an adapted bundle was made from, in words; None for any other one."""
    if not bundle.adapted:
        return None
    text = f"adapted from {grown_from(bundle)}"
    adaptation = bundle.manifest.get("adaptation")
    found = adaptation.get("evidence") if isinstance(adaptation, dict) else None
    evidence = found if isinstance(found, dict) else {}
    before, after = evidence.get("canary_uar_base"), evidence.get("canary_uar_after")
    if isinstance(before, int | float) and isinstance(after, int | float):
        text += f", canary recall {100 * before:.1f} % to {100 * after:.1f} %"
    return text


def _row(name: str, folder: Path, default: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "default": default, "folder": str(folder)}
    row |= dict.fromkeys(("model", "licence", "commercial_use", "labels", "uar"))
    row |= dict.fromkeys(("protocol", "sha256", "adapted", "error"))
    try:
        bundle = load_bundle(name)
    except ModelError as error:
        return row | {"error": str(error)}
    metrics = read_evidence(bundle).get("metrics") or {}
    uar = metrics.get("UAR")
    return row | {
        "folder": str(bundle.folder),
        "model": bundle.name,
        "licence": bundle.licence,
        "commercial_use": bundle.restriction is None,
        "labels": list(bundle.labels),
        "uar": uar if isinstance(uar, int | float) else None,
        "protocol": metrics.get("protocol"),
        "sha256": bundle.sha256,
        "adapted": _origin(bundle),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    whole = [row for row in rows if not row["error"]]
    cells = [("", "name", "UAR %", "licence", "labels", "folder")]
    cells += [
        (
            "*" if row["default"] else "",
            row["name"],
            "" if row["uar"] is None else f"{row['uar']:.1f}",
            row["licence"],
            ", ".join(row["labels"]),
            row["folder"],
        )
        for row in whole
    ]
    lines = aligned(cells)
    for row in rows:
        if row["error"]:
            star = "*" if row["default"] else " "
            lines.append(f"{star}  {row['name']}  cannot be used: {row['error']}")
        elif row["adapted"]:
            lines.append(f"   {row['name']}  {row['adapted']}")
    lines += [
        "",
        "* is the default. `ser-stream model show NAME` has the rest: what the",
        "UAR was measured on, and what the model is not good for.",
    ]
    return "\n".join(lines) + "\n"


def _describe(bundle: Bundle) -> str:
    manifest, kind = bundle.manifest, bundle.front_end.normalise.kind
    rows: list[tuple[str, Any]] = [
        ("name", bundle.name),
        ("labels", ", ".join(bundle.labels)),
        ("licence", bundle.licence),
        ("sha256", bundle.sha256),
        ("folder", bundle.folder),
        ("front end", f"{bundle.front_end.hash[:16]} ({kind})"),
        ("window", f"1 to {bundle.max_columns} columns"),
    ]
    if origin := _origin(bundle):
        rows.append(("made", origin))
    for corpus in manifest.get("corpora", ()):
        rows.append(("trained on", f"{corpus['name']} ({corpus['licence']})"))
    for part in manifest.get("parts", ()):
        rows.append(("contains", f"{part['name']} ({part['licence']})"))
    metrics = read_evidence(bundle).get("metrics")
    if metrics:
        rows.append(("protocol", metrics["protocol"]))
        for name in ("UAR", "WAR", "ECE"):
            if name in metrics:
                rows.append((name, f"{metrics[name]}"))
    card = bundle.folder / CARD
    rows.append(("card", card if card.is_file() else "none"))
    return "\n".join(f"{key:<10}  {value}" for key, value in rows)
