"""The card of a bundle: its manifest and evidence as a page (`card.md.j2`)."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader, Undefined

from export.evidence import options, read_measured
from ser_stream.atomic_file import replace_file
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import CARD, Bundle, load_bundle
from ser_stream.pipeline.bundle_evidence import EVIDENCE, read_evidence, write_evidence
from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.values import SAMPLE_RATE
from training.corpora.known import KNOWN
from training.corpora.utterance import UNNAMED, corpus_of
from training.evaluation.bootstrap import percent
from training.evaluation.zero_shot.scored_model import fitted_to
from training.recipe.config import TrainConfig


def renew_card(folder: Path, given: Mapping[str, Path | None]) -> Bundle:
    """Write evidence and card of a bundle anew; manifest and graphs stay.

    Args:
        folder: of the bundle.
        given: new results, see `read_measured`; what is not given stays as it was.

    Raises:
        ModelError: if it is no bundle, has no evidence, or a result is of another one.
    """
    bundle = load_bundle(str(folder))
    evidence = read_evidence(bundle)
    if not {"training", "parity"} <= evidence.keys():
        raise ModelError(
            f"{bundle.folder} has no {EVIDENCE} that says how this model was made; "
            "export it anew: python -m export CHECKPOINT DIR"
        )
    training = evidence["training"]
    config = TrainConfig.from_dict(training["config"])
    evidence |= read_measured(bundle.manifest, config, given)
    if told := options(given):
        command = f"python -m export card DIR{told}"
        others = [line for line in training["commands"] if line != command]
        evidence["training"] = {**training, "commands": [*others, command]}
    write_evidence(bundle, evidence)
    write_card(bundle, evidence)
    return bundle


def write_card(bundle: Bundle, evidence: Mapping[str, Any]) -> None:
    """Write the card of a bundle with what was measured of it."""
    text = render_card(bundle.manifest, evidence)
    replace_file(bundle.folder / CARD, text)


def render_card(manifest: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=ChainableUndefined,
        finalize=lambda value: "-" if _unknown(value) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "crude": lambda rows: any("†" in percent(row) for row in rows),
        "listed": _listed,
        "pairs": _pairs,
        "share": lambda value: None if _unknown(value) else f"{100 * value:.0f} %",
        "between": _between,
    }
    template = environment.get_template("card.md.j2")
    return template.render(_values(manifest, evidence))


def _values(m: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What the template is told beside manifest and evidence."""
    geometry = Geometry(**m["geometry"])
    metrics = evidence.get("metrics") or {}
    corpora = (evidence.get("unseen") or {}).get("corpora", {})
    unseen = corpora.values()
    speakers = evidence.get("training", {}).get("speakers", ())
    fitted = fitted_to(evidence, (str(c.get("folder")) for c in m["corpora"]))

    def marked(name: str) -> str:
        return f"{name} ‡" if name in fitted else name

    return {
        **m,
        **evidence,
        "seconds": lambda n: f"{geometry.window_length(n) / SAMPLE_RATE:.1f}",
        "delay": _delay,
        "svm": lambda c: ", ".join(
            f"{percent({**row, 'n_speakers': c['n_speakers']})} ({scaling})"
            for scaling, row in c["svm"].items()
        ),
        "n_speakers": _n_speakers(
            map(str, speakers), [str(c["folder"]) for c in m["corpora"]]
        ),
        "masked": [
            c["name"]
            for c in m["corpora"]
            if c["classes"] and set(c["classes"]) != set(m["labels"])
        ],
        "unlabelled": [c["name"] for c in m["corpora"] if not c["classes"]],
        "named_groups": [
            (f"{kind} {name}".strip(), row)
            for kind, key in (
                ("corpus", "corpora"),
                ("sex", "sexes"),
                ("", "languages"),
            )
            for name, row in metrics.get(key, {}).items()
        ],
        "marked": marked,
        "fitted_unseen": [name for name in corpora if name in fitted],
        "unseen_ece": {marked(name): c["steps"]["ECE"] for name, c in corpora.items()},
        "unseen_groups": [
            row
            for c in unseen
            for row in (c, *c["sexes"].values(), *c["languages"].values())
        ],
        "not_acted": [
            c["name"] for c in m["corpora"] if c["classes"] and not c.get("acted", True)
        ],
        # What they are, and who speaks in them, only their owner knows.
        "own": [c["name"] for c in m["corpora"] if c["folder"] not in KNOWN],
        "own_unseen": [name for name in corpora if name not in KNOWN],
        "languages": sorted(
            {
                language
                for c in m["corpora"]
                if c["folder"] in KNOWN
                for language in c.get("language", "unknown").split(", ")
            }
        ),
        "unseen_languages": sorted({name for c in unseen for name in c["languages"]}),
    }


def _n_speakers(people: Iterable[str], folders: Sequence[str]) -> dict[str, str]:
    """How many of each corpus a checkpoint names, by folder; see `Utterance.person`."""
    of: dict[str, list[str]] = {}
    for person in people:
        if corpus := corpus_of(person, folders):
            of.setdefault(corpus, []).append(person.removeprefix(f"{corpus}/"))
    found = {}
    for corpus, speakers in of.items():
        n = len(speakers) - speakers.count(UNNAMED)
        parts = [str(n)] * bool(n) + [UNNAMED] * (UNNAMED in speakers)
        found[corpus] = " and ".join(parts)
    return found


def _unknown(value: object) -> bool:
    return value is None or isinstance(value, Undefined)


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _pairs(values: Mapping[str, Any], form: str = "{} {}") -> str:
    return ", ".join(
        form.format(key, "-" if value is None else value)
        for key, value in values.items()
    )


def _delay(changes: Any) -> str | None:
    if not changes or not changes.get("changes"):
        return None
    median = changes.get("median_delay_s")
    return "infinite" if median is None else f"{median:.2f} s"


def _between(value: Any, bounds: Any) -> str | None:
    if _unknown(value):
        return None
    if not bounds:
        return f"{value:.2f}"
    low, high = ("?" if b is None else f"{b:.2f}" for b in bounds)
    return f"{value:.2f} ({low} to {high})"
