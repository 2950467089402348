"""`ser-stream adapt folder`: a model adapted to recordings, as a new bundle."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ser_stream.adaptation.acceptance import summary, verdict
from ser_stream.adaptation.child_process import RoundError, RoundJob, RoundRunner
from ser_stream.adaptation.libraries import require_libraries
from ser_stream.adaptation.pack import Pack
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.commands import unfinished
from ser_stream.commands.evidence import evidence_text
from ser_stream.commands.folder_speech import FolderSpeech, find_recordings, find_speech
from ser_stream.commands.output import write, write_json
from ser_stream.commands.progress import clear_bar, share_bar
from ser_stream.config import ListenConfig
from ser_stream.config.for_model import configured_pack, pipeline_config
from ser_stream.errors import (
    ConfigError,
    MissingLibraryError,
    ModelError,
    QuietEndError,
    SerStreamError,
    SinkError,
    SourceError,
    StoppedError,
)
from ser_stream.model import Model
from ser_stream.paths import is_file
from ser_stream.pipeline.bundle import MANIFEST, Bundle, load_bundle, seal


@dataclass(frozen=True, slots=True)
class Round:
    number: int
    accepted: bool
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def adapt(
    folder: Path,
    out: Path,
    config: ListenConfig,
    rounds: int,
    as_json: bool,
    runner: RoundRunner | None = None,
) -> bool:
    """Run recordings, learn from their speech, and write what is accepted.

    Each round learns from what the last one made; the first one refused ends it.

    Returns:
        Whether a bundle was written and every recording could be read.

    Raises:
        MissingLibraryError: without the extra `adapt`, or if it cannot be loaded.
        ModelError: if the model or its pack cannot be used.
        SourceError: if there are no recordings, or too little speech in them.
        ConfigError: if there is something at `out`.
        SinkError: if the bundle cannot be written there.
        StoppedError: if a signal came before anything was written.
        SerStreamError: if a round failed before its candidate was measured; what the
            rounds before made is written and printed then.
    """
    require_libraries()
    base = load_bundle(config.model)
    pack = configured_pack(config, base)
    recordings = find_recordings(folder)
    # A long step would hand out fewer windows.
    usual = pipeline_config(config, base)
    step_s = min(usual.step_s, base.step_s)
    # Before anything is begun: a signal while a library is loaded comes as ImportError.
    model = Model(base, replace(usual, step_s=step_s))
    with _told_if_stopped(out), _beside(out) as scratch:
        speech = find_speech(recordings, model, config.adapt.capacity)
        work = _Work(scratch, pack, speech.reservoir, config.adapt.scope)
        bundle, done, failure = work.learn(base, rounds, runner or RoundRunner())
        if failure is not None and bundle is base:
            raise failure
        if written := bundle is not base:
            try:
                bundle = _with_evidence(bundle, done)
                os.replace(bundle.folder, out)
            except OSError as error:
                raise _unwritable(out, error) from None
    if as_json:
        result = {
            "model": base.name,
            "out": str(out) if written else None,
            "bundle": bundle.sha256 if written else None,
            "files": speech.files,
            "failed": speech.failed,
            "speech_s": round(speech.speech_s, 1),
            "windows": len(speech.reservoir),
            "rounds": [asdict(each) for each in done],
        }
        write_json(result)
    else:
        write(_text(speech, done, out if written else None))
    if failure is not None:
        raise failure
    return written and not speech.failed


@contextlib.contextmanager
def _told_if_stopped(out: Path) -> Iterator[None]:
    """Elsewhere a signal is a good end; here something was asked for, and not done."""
    unfinished.begin()
    try:
        yield
    except QuietEndError:
        if is_file(out / MANIFEST):
            raise
        clear_bar()
        raise StoppedError("stopped; nothing was written") from None


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder for what is not finished; from there it comes to its place whole."""
    # Named before it is made: at a signal right after that it is removed too.
    folder = out.parent / f".{out.name}-{secrets.token_hex(4)}"
    try:
        _make(folder, out)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, out: Path) -> None:
    try:
        taken = os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir()))
        if not taken:
            out.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
    except OSError as error:
        raise _unwritable(out, error) from None
    if taken:
        raise ConfigError(
            f"{out} is there already; --out must name a new folder, or an empty one"
        )


def _unwritable(out: Path, error: OSError) -> SinkError:
    return SinkError(f"cannot write {out}: {error.strerror}; nothing was written")


@dataclass(frozen=True, slots=True)
class _Work:
    folder: Path
    """For what the rounds make."""
    pack: Pack
    reservoir: Reservoir
    scope: str

    def learn(
        self, base: Bundle, rounds: int, runner: RoundRunner
    ) -> tuple[Bundle, list[Round], SerStreamError | None]:
        """The last accepted bundle, or the base; rounds with a verdict; what failed."""
        bundle, done = base, list[Round]()
        for number in range(1, rounds + 1):
            bar = "learning" if rounds == 1 else f"learning, {number} of {rounds}"
            staged = self.folder / str(number)
            try:
                evidence = self._run(bundle, staged, number, runner, bar)
            except RoundError as error:
                return bundle, done, _failure(error)
            except OSError as error:
                return bundle, done, _unwritable(staged, error)
            refused = verdict(evidence, earlier=[each.evidence for each in done])
            if refused is not None:
                done.append(Round(number, False, refused, evidence))
                break
            bundle = load_bundle(str(staged))
            done.append(Round(number, True, summary(evidence), evidence))
        return bundle, done, None

    def _run(
        self, bundle: Bundle, staged: Path, seed: int, runner: RoundRunner, name: str
    ) -> dict[str, Any]:
        staged.mkdir()
        job = RoundJob.of(bundle, self.pack, staged, scope=self.scope, seed=seed)
        with share_bar(100, name) as show:
            try:
                evidence = runner.run(
                    job, self.reservoir, lambda share: show(100 * share)
                )
                return {**evidence, "pack": self.pack.sha256}
            finally:
                clear_bar()


_FAILURES: dict[str, type[SerStreamError]] = {
    "pack": ModelError,
    "disk": SinkError,
    "too_little": SourceError,
    "heard": SourceError,
}
"""By the kind of a round's error; any other is of a worker that died."""


def _failure(error: RoundError) -> SerStreamError:
    """A round without a verdict, as an error with its proper exit status."""
    if error.kind == "library":
        return MissingLibraryError(
            f"{error}; install them again: pip install --force-reinstall "
            '"ser-stream[adapt]"'
        )
    return _FAILURES.get(error.kind, SerStreamError)(str(error))


def _with_evidence(bundle: Bundle, done: Sequence[Round]) -> Bundle:
    """The bundle with what was measured of it in its manifest, for `model show`."""
    evidence = [each.evidence for each in done if each.accepted][-1]
    adaptation = {**bundle.manifest["adaptation"], "evidence": dict(evidence)}
    manifest = {**bundle.manifest, "adaptation": adaptation}
    seal(bundle.folder, manifest, tuple(bundle.manifest["files"]))
    return load_bundle(str(bundle.folder))


def _text(speech: FolderSpeech, done: Sequence[Round], out: Path | None) -> str:
    lines = [
        f"{speech.files} recordings, {speech.speech_s:.0f} s of speech, "
        f"{len(speech.reservoir)} windows to learn from"
    ]
    for each in done:
        lines.append(
            f"round {each.number}: "
            + f"{'accepted' if each.accepted else 'rejected'}: {each.reason}"
        )
        if figures := evidence_text(each.evidence):
            lines += ["", figures, ""]
    if out is None:
        lines.append("nothing was written; the model stays as it is")
    else:
        lines.append(f"written to {out}; try it: ser-stream listen --model {out}")
    return "\n".join(lines) + "\n"
