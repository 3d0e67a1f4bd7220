"""Slimmed sources behave as before, with the same line numbers."""

import ast
import sys
import types
from pathlib import Path

import pytest

from tools import slimming

SOURCE = '''"""Module
docs."""
import os
class A:
    """Kept: a schema shows it."""
    def f(self):
        """One
        two
        """
        return 1
    async def g(self): """Only docs."""; x = 1  # A comment: é
    # A comment
def h():
    """Docs."""
LAST = "# no comment"  # A comment'''


def test_comments_and_the_docstrings_of_modules_and_functions_go() -> None:
    slimmed = slimming.slimmed(SOURCE.encode()).decode()
    namespace: dict[str, object] = {}
    exec(slimmed, namespace)
    slim_class = namespace["A"]
    assert slim_class.__doc__ == "Kept: a schema shows it."
    assert slim_class().f() == 1  # type: ignore[operator]
    assert namespace["h"].__doc__ == ""
    assert namespace["__doc__"] == ""
    assert "Only docs" not in slimmed
    assert "A comment" not in slimmed
    assert namespace["LAST"] == "# no comment"


def test_every_statement_stays_on_its_line() -> None:
    def lines(source: str) -> list[int]:
        return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]

    assert lines(slimming.slimmed(SOURCE.encode()).decode()) == lines(SOURCE)


@pytest.mark.parametrize("source", [b"def f(:\n", b"# -*- coding: latin-1 -*-\nX = '\xe9'\n"])
def test_what_cannot_be_parsed_stays(source: bytes) -> None:
    assert slimming.slimmed(source) == source


def test_lazy_exports_import_a_module_when_its_name_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lazy_package"
    package.mkdir()
    (package / "part.py").write_text("Thing = 42\n")
    source = "from __future__ import annotations\nfrom .part import Thing as Thing\n"
    (package / "__init__.py").write_text(slimming.with_lazy_exports(source))
    monkeypatch.syspath_prepend(str(tmp_path))
    import lazy_package  # noqa: PLC0415

    assert isinstance(lazy_package, types.ModuleType)
    assert "lazy_package.part" not in sys.modules
    assert lazy_package.Thing == 42
    with pytest.raises(AttributeError, match="has no attribute 'Other'"):
        _ = lazy_package.Other


def test_an_init_that_does_more_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 does more"):
        slimming.with_lazy_exports("from .a import B\nprint(B)\n")
