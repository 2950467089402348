"""Pages of results from jinja2 templates: `NAME.md.j2` beside the module."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def fill(template: Path, *functions: Callable[..., Any], **values: Any) -> str:
    """The text of a template, with one newline at its end.

    Args:
        template: its file.
        functions: filters, each by its own name without a `_` before it; `head` makes
            the first two lines of a markdown table.
        values: names of the template; printing one that is missing is an error.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["head"] = lambda names: (
        f"| {' | '.join(names)} |\n|{' --- |' * len(names)}"
    )
    environment.filters |= {made.__name__.lstrip("_"): made for made in functions}
    return environment.get_template(template.name).render(values).rstrip() + "\n"
