"""The documentation agrees with the code."""

import re
from pathlib import Path

import pytest

from tools import doc_tables, paths

ROOT = paths.ROOT
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_generated_tables_are_the_codes_own() -> None:
    texts = [path.read_text() for path in doc_tables.DOCUMENTS]
    assert [doc_tables.with_tables(text) for text in texts] == texts, "run `python -m tools.doc_tables`"
    marks = [mark for text in texts for mark in re.findall(r"<!-- (\w+) -->", text)]
    assert sorted(marks) == sorted(doc_tables.TABLES)


@document
def test_every_link_leads_somewhere(document: Path) -> None:
    for file, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)", document.read_text()):
        target = document.parent / file if file else document
        assert target.exists(), file
        assert not anchor or anchor in anchors(target.read_text()), f"{file}#{anchor}"


@document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(), re.MULTILINE)) <= set(targets)


@document
def test_every_module_that_is_named_exists(document: Path) -> None:
    if document.name == "CHANGELOG.md" or "examples" in document.parts:
        return
    roots = (ROOT, paths.SOURCE, document.parent)
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", document.read_text())
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@document
def test_every_test_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", document.read_text()))
    tests = "".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py")) if named else ""
    assert {name for name in named if f"def {name}(" not in tests} == set()


def anchors(markdown: str) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.*)", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
