"""Every file, module and link that a document or a package's docstring names exists."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

FOLDERS = "ser_stream|training|export|benchmarks|tests|docs|systemd|deploy"
PATH = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./*-]*\w")
CODE = re.compile(r"`((?:[\w-]+/)*[\w-]+(?:\.py|/))`")
MODULE = re.compile(
    r"(?<![\w./-])(?:ser_stream|training|export)(?:\.(?!md\b)[a-z_]\w*)+"
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "ser_stream/**/*.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
)
PACKAGES = sorted(
    path
    for folder in ("ser_stream", "training", "export", "benchmarks")
    for path in (ROOT / folder).rglob("__init__.py")
)
GONE = "### Moved"
"""A heading of the changelog, under which old names stand."""


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text(document: Path) -> str:
    before, _, after = document.read_text().partition(GONE)
    return before + "".join(re.split(r"(?m)^(?=##)", after)[1:])


def module_exists(name: str) -> bool:
    """Whether this is the name of a module, or of something in a module."""
    parent, _, last = name.rpartition(".")
    try:
        module = importlib.import_module(parent)
    except ModuleNotFoundError:
        return False
    return hasattr(module, last) or importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_what_a_document_names_exists(document: Path) -> None:
    words = text(document)

    assert [path for path in PATH.findall(words) if not any(ROOT.glob(path))] == []
    assert [
        name for name in set(MODULE.findall(words)) if not module_exists(name)
    ] == []
    assert [
        link
        for link in LINK.findall(words)
        if "://" not in link and not (document.parent / link).exists()
    ] == []


def test_the_map_of_the_code_names_what_exists() -> None:
    """Its names are short: parts of a path in one of the packages."""
    names = set(CODE.findall((ROOT / "CONTRIBUTING.md").read_text()))

    assert "pipeline/" in names
    assert [
        name
        for name in names
        if not any(
            (folder / name).exists()
            for folder in (ROOT, *(path.parent for path in PACKAGES))
        )
    ] == []


@pytest.mark.parametrize("package", PACKAGES, ids=ids)
def test_a_package_lists_the_files_that_it_has(package: Path) -> None:
    """Rows of its docstring: names of files, two spaces, what they hold."""
    said = ast.get_docstring(ast.parse(package.read_text())) or ""
    rows = re.findall(r"(?m)^(\w+/?(?:, \w+/?)*)  +\S", said)
    listed = {name.strip("/") for row in rows for name in row.split(", ")}
    there = {path.stem for path in package.parent.glob("[!_]*.py")}
    there |= {path.parent.name for path in package.parent.glob("*/__init__.py")}
    folders = {path.name for path in package.parent.iterdir() if path.is_dir()}

    assert listed - there - folders == set()
    if listed:
        assert there - set(re.findall(r"\w+", said)) == set()
