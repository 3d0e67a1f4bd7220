"""The values that `store.index.embed` accepts."""

from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from errors import GraphLoadError
from graphs.embeddings import load_embeddings
from project_config.sections import StoreIndex


def project_with(tmp_path: Path, module: str, source: str) -> Path:
    (tmp_path / f"{module}.py").write_text(source)
    return tmp_path


async def test_a_function_of_the_project_embeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    project = project_with(tmp_path, "own_embedding", "async def embed(texts):\n    return [[1.0] for _ in texts]\n")
    make = load_embeddings(project, StoreIndex(dims=1, embed="own_embedding.py:embed"))
    assert make is not None
    assert await make().aembed_query("tea") == [1.0]


def test_an_embeddings_object_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = (
        "from langchain_core.embeddings import DeterministicFakeEmbedding\nmodel = DeterministicFakeEmbedding(size=3)\n"
    )
    project = project_with(tmp_path, "own_model", source)
    make = load_embeddings(project, StoreIndex(dims=3, embed="own_model.py:model"))
    assert make is not None
    assert isinstance(make(), DeterministicFakeEmbedding)


@pytest.mark.parametrize(
    ("embed", "reason"),
    [
        ("openai:text-embedding-3-small", "needs the package langchain"),
        ("nowhere.py:embed", "there is no file nowhere.py"),
        ("no_function.py:number", "neither a function nor an Embeddings object"),
    ],
)
def test_what_cannot_embed_is_refused_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embed: str, reason: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    project = project_with(tmp_path, "no_function", "number = 1\n")
    with pytest.raises(GraphLoadError, match=reason):
        load_embeddings(project, StoreIndex(dims=1, embed=embed))


def test_without_an_index_there_is_nothing_to_embed(tmp_path: Path) -> None:
    assert load_embeddings(tmp_path, None) is None
