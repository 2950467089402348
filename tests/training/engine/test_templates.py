"""Pages from templates: what is missing is an error, and other commands load none."""

import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from tests.helpers.paths import ROOT
from training.engine.templates import fill


def percent(value: float) -> str:
    """A filter."""
    return f"{value:.1f} %"


def test_a_page_has_its_table_and_one_line_feed_at_its_end(tmp_path: Path) -> None:
    template = tmp_path / "page.md.j2"
    template.write_text(
        "{{ ['a', 'b'] | head }}\n{% for x in rows %}\n| {{ x | percent }} | |\n"
        "{% endfor %}\n\n\n"
    )
    text = fill(template, percent, rows=[1.0, 2.5])
    assert text == "| a | b |\n| --- | --- |\n| 1.0 % | |\n| 2.5 % | |\n"


def test_a_name_that_nothing_gave_is_no_blank(tmp_path: Path) -> None:
    template = tmp_path / "page.md.j2"
    template.write_text("{{ score }}\n")
    with pytest.raises(UndefinedError, match="'score' is undefined"):
        fill(template, scores=1)


def test_commands_start_without_pandas_and_jinja2() -> None:
    code = (
        "import sys, training.__main__, training.recipe.train\n"
        "import training.evaluation.streaming, training.evaluation.crossval\n"
        "print([m for m in ('pandas', 'jinja2') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"
