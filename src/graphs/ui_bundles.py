"""The UI components named by `ui` in langgraph.json, as built by `tools/ui_bundle.py`."""

from collections.abc import Mapping
from pathlib import Path

from project_config.sections import UI_BUNDLES, UI_SUFFIX


class UiBundles:
    """Scripts and styles by the name of their entry, read on demand."""

    def __init__(self, project: Path) -> None:
        self._files: Mapping[str, Mapping[str, Path]] = {
            folder.name: {file.name.removesuffix(UI_SUFFIX): file for file in sorted(folder.iterdir())}
            for folder in sorted((project / UI_BUNDLES).glob("*"))
        }

    def names(self, graph_id: str) -> tuple[str, ...]:
        """The files of an entry; none if langgraph.json does not name it."""
        return tuple(self._files.get(graph_id, ()))

    def read(self, graph_id: str, name: str) -> str | None:
        """One file, or None if there is none of that name."""
        file = self._files.get(graph_id, {}).get(name)
        return file and file.read_text()
