"""`ser-stream tune`: settings of the smoothing for a user's own labelled recordings."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ser_stream.commands.labels import Labels, read_labels, say_unknown
from ser_stream.commands.output import write, write_json
from ser_stream.commands.progress import clear_bar, share_bar
from ser_stream.config import ListenConfig, default_path
from ser_stream.config.edit import set_values, snippet
from ser_stream.config.for_model import pipeline_config
from ser_stream.errors import SourceError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk, Prediction
from ser_stream.sources.recorded import length_of, read_chunks
from ser_stream.tuning.figures import Figures
from ser_stream.tuning.search import TUNED, Found, Rule, search
from ser_stream.tuning.streams import Segment, Stream

_LOGGER = logging.getLogger(__name__)
FEW_SEGMENTS = 30
"""With fewer, one segment more or less may change what is chosen."""
FEW_SPEECH_S = 180.0
"""Seconds; likewise."""


@dataclass(frozen=True, slots=True)
class Recording:
    path: Path
    duration_s: float
    segments: list[Segment]


def tune(
    files: Sequence[Path],
    labels_csv: Path,
    config: ListenConfig,
    rule: Rule,
    *,
    write_to: Path | None,
    as_json: bool,
) -> int:
    """Print the settings that suit the recordings best, and perhaps write them.

    Model, speech gate, step and window are those of `config`; its smoothing is what the
    outcome is compared with.

    Returns:
        How many files could not be read.

    Raises:
        ConfigError: if the labels make no sense.
        SourceError: if no labelled recording holds speech.
    """
    bundle = load_bundle(config.model)
    model = Model(bundle, pipeline_config(config, bundle))
    files = list(dict.fromkeys(files))
    labels = read_labels(labels_csv, files, bundle.labels)
    recordings, failed = _open_all(files, labels, labels_csv)
    streams = []
    for recording, predictions in _predict_all(recordings, model):
        if predictions is None:
            failed += 1
        else:
            streams.append(Stream(predictions, recording.segments))
    if not any(_spoken(stream) for stream in streams):
        raise SourceError(
            "there is no speech within the labelled stretches of these recordings, so "
            "there is nothing to choose by; `ser-stream recognize` shows what there is"
        )
    _warn(streams, labels, bundle)
    with share_bar(len(streams), "searching") as show:

        def progress(items: Sequence[Stream]) -> Iterable[Stream]:
            for done, item in enumerate(items, 1):
                yield item
                show(done)

        found = search(
            streams, bundle.labels, model.config.smoothing, rule, progress=progress
        )
    chosen = {name: getattr(found.best, name) for name in TUNED}
    if write_to is not None:
        set_values(write_to, {"smoothing": chosen})
    if as_json:
        result = _result(bundle, streams, failed, rule, found, write_to)
        write_json(result)
    else:
        write(_text(streams, rule, found))
        if write_to is not None:
            write(f"\nwritten to {write_to}\n")
        else:
            where = default_path()
            write(f"\n# for {where}, or run again with --write\n")
            write(snippet({"smoothing": chosen}))
    return failed


def _open_all(
    files: Sequence[Path], labels: Labels, labels_csv: Path
) -> tuple[list[Recording], int]:
    """The labelled recordings, all checked before the first is run."""
    recordings, failed, bare = [], 0, []
    for path in files:
        try:
            duration_s = length_of(path)
        except SourceError as error:
            failed += 1
            _LOGGER.error("%s", error)
            continue
        if path in labels.bare:
            bare.append(path)
        if not labels.rows[path]:
            continue
        segments = labels.segments(path, labels_csv, duration_s)
        recordings.append(Recording(path, duration_s, segments))
    if bare:
        _LOGGER.warning(
            "%d of the recordings have no label and were left out, as %s",
            len(bare),
            bare[0],
        )
    return recordings, failed


def _predict_all(
    recordings: Sequence[Recording], model: Model
) -> Iterator[tuple[Recording, list[Prediction] | None]]:
    """The predictions of each recording; None for one that turned out unreadable."""
    total_s = sum(recording.duration_s for recording in recordings)
    with share_bar(math.ceil(total_s), "predicting") as show:
        n_read = 0

        def shown_on_bar(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
            nonlocal n_read
            for chunk in chunks:
                yield chunk
                n_read += len(chunk.samples)
                show(n_read / SAMPLE_RATE)

        for recording in recordings:
            try:
                found = model.record(shown_on_bar(read_chunks(recording.path)))
            except SourceError as error:
                clear_bar()
                _LOGGER.error("%s", error)
                yield recording, None
            else:
                yield recording, found.predictions


def _spoken(stream: Stream) -> int:
    return sum(int(stream.speech[stream.steps(s)].sum()) for s in stream.segments)


def _warn(streams: Sequence[Stream], labels: Labels, bundle: Bundle) -> None:
    if labels.unknown:
        _LOGGER.warning(
            "left out labels that model %s does not know: %s; it knows %s",
            bundle.name,
            say_unknown(labels.unknown, bundle.labels),
            ", ".join(bundle.labels),
        )
    segments = [(stream, s) for stream in streams for s in stream.segments]
    silent = sum(not stream.speech[stream.steps(s)].any() for stream, s in segments)
    if silent:
        _LOGGER.warning(
            "there is no speech in %d of %d labelled segments; each counts as a "
            "missed change if it is one",
            silent,
            len(segments),
        )
    seconds = sum(_spoken(stream) * stream.step_s for stream in streams)
    if len(segments) < FEW_SEGMENTS or seconds < FEW_SPEECH_S:
        _LOGGER.warning(
            "these are few labels (segments: %d, minutes of speech: %.1f): the choice "
            "may be chance; better %d segments or more, and %g minutes",
            len(segments),
            seconds / 60,
            FEW_SEGMENTS,
            FEW_SPEECH_S / 60,
        )
    labelled = {s.label for _, s in segments}
    if len(labelled) == 1:
        _LOGGER.warning(
            "only %s is labelled: settings that find it everywhere would look best",
            *labelled,
        )
    elif labelled < set(bundle.labels):
        _LOGGER.warning(
            "of the model's labels, none was given for %s",
            ", ".join(label for label in bundle.labels if label not in labelled),
        )


def _result(
    bundle: Bundle,
    streams: Sequence[Stream],
    failed: int,
    rule: Rule,
    found: Found,
    written: Path | None,
) -> dict[str, Any]:
    labels = Counter(s.label for stream in streams for s in stream.segments)
    speech_s = sum(_spoken(stream) * stream.step_s for stream in streams)
    held_out = found.held_out
    return {
        "model": bundle.name,
        "sha256": bundle.sha256,
        "files": len(streams),
        "failed": failed,
        "segments": dict(labels),
        "speech_s": round(speech_s, 1),
        "rule": asdict(rule),
        "satisfied": found.satisfied,
        "tried": found.tried,
        "present": {
            "smoothing": asdict(found.present),
            **found.present_figures.to_dict(),
        },
        "best": {"smoothing": asdict(found.best), **found.best_figures.to_dict()},
        "held_out": held_out.to_dict() if held_out else None,
        "written": str(written) if written else None,
    }


def _text(streams: Sequence[Stream], rule: Rule, found: Found) -> str:
    shown: list[tuple[str, SmoothingConfig | None, Figures]] = [
        ("now", found.present, found.present_figures),
        ("best", found.best, found.best_figures),
    ]
    if found.held_out is not None:
        shown.append(("held out", None, found.held_out))
    rows = [["", *(head for head, _, _ in shown)]]
    for name in TUNED:
        values = [getattr(config, name, None) for _, config, _ in shown]
        rows.append([name, *("" if v is None else f"{v:g}" for v in values)])
    rows.append([])
    figures = [f for _, _, f in shown]
    rows += [
        ["speech covered", *(_percent(f.coverage) for f in figures)],
        ["of it right", *(_percent(f.accuracy) for f in figures)],
        ["recall of time", *(_percent(f.recall) for f in figures)],
        ["median delay", *(_seconds(f.median_delay_s) for f in figures)],
        ["changes missed", *(f"{f.missed} of {f.changes}" for f in figures)],
        ["flips a minute", *(f"{f.flips_per_minute:.1f}" for f in figures)],
    ]
    lines = [
        f"{row[0]:<20}" + "".join(f"{cell:>13}" for cell in row[1:]) if row else ""
        for row in rows
    ]
    n = sum(len(stream.segments) for stream in streams)
    lines += ["", f"{n} labelled segments; {found.tried} settings tried."]
    lines.append(_verdict(rule, found))
    if found.held_out is not None:
        lines.append(
            "`best` was chosen by these recordings, which flatters it; `held out` was "
            "chosen without the\nrecordings it is counted on: expect that."
        )
    else:
        lines.append(
            "`best` was chosen by these recordings, which flatters it; of four files "
            "or more, some are held out."
        )
    return "\n".join(lines) + "\n"


def _verdict(rule: Rule, found: Found) -> str:
    asked = (
        f"{100 * rule.min_coverage:g} % of speech covered and at most "
        f"{rule.max_flips:g} flips a minute"
    )
    if not found.satisfied:
        return f"No settings reach {asked}; these come nearest."
    if found.best == found.present:
        return f"The settings of now are the best: {asked}, most recall."
    return f"Of those with {asked}, these\ntell the right emotion for longest."


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"


def _seconds(delay_s: float) -> str:
    return "never" if math.isinf(delay_s) else f"{delay_s:.2f} s"
