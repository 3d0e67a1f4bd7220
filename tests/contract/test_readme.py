"""README.md says what the code says."""

import re

import pytest

from tools import paths, readme

TEXT = readme.README.read_text()


def test_the_tables_of_settings_and_operations_are_the_codes_own() -> None:
    assert readme.with_tables(TEXT) == TEXT, "run `python -m tools.readme`"


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (paths.ROOT / document).read_text())
    missing = [link for link in links if "://" not in link and not (paths.ROOT / link).exists()]
    assert missing == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (paths.ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z]+)", TEXT))
    assert named - set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) == set()
