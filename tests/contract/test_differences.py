"""docs/differences.md lists exactly the differences that the differential test accepts."""

from tools.differential import declaration
from tools.differential.declared import DECLARED


def test_the_page_lists_the_declared_differences() -> None:
    text = declaration.DOCUMENT.read_text()
    assert text == declaration.document(DECLARED), "run `python -m tools.differential --write`"
