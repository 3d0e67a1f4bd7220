from html import unescape
from pathlib import Path

import pytest

from graphs.ui_bundles import UiBundles
from http_messages import HttpRequest, HttpResponse
from tests.support.http_api import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    bundle = tmp_path / "ui_bundles" / "my graph"
    bundle.mkdir(parents=True)
    (bundle / "entrypoint.css.txt").write_text("p {}")
    (bundle / "entrypoint.js.txt").write_text("var a")
    (tmp_path / "secret").write_text("s")
    return Api(ui=UiBundles(tmp_path))


async def text(api: Api, method: str, path: str, body: str = "", *, status: int = 200) -> str:
    answer = await api.ask_raw(HttpRequest(method, path, [], {}, body, origin="https://agents.example"))
    assert isinstance(answer, HttpResponse)
    assert answer.status == status
    return answer.body


async def test_a_component_is_the_html_that_loads_it(api: Api) -> None:
    html = await text(api, "POST", "/ui/my%20graph", '{"name": "it\'s <b>"}')
    base = "https://agents.example/ui/my%20graph/entrypoint"
    style, script = html.split("<script")
    assert style == f'<link rel="stylesheet" href="{base}.css" />'
    assert "<b>" not in script
    assert unescape(script) == (
        f' src="{base}.js" onload="__LGUI_my_graph.render("it\'s <b>", "{{{{shadowRootId}}}}")"></script>'
    )


async def test_its_files_are_served_and_no_others(api: Api) -> None:
    assert await text(api, "GET", "/ui/my%20graph/entrypoint.js") == "var a"
    for file in ("secret", "..%2F..%2Fsecret", "entrypoint.js.txt", ".."):
        await text(api, "GET", f"/ui/my%20graph/{file}", status=404)
        await text(api, "GET", f"/ui/nobody/{file}", status=404)


async def test_a_graph_without_components_has_none(api: Api) -> None:
    assert await text(api, "POST", "/ui/sequence", '{"name": "x"}', status=404) == "UI not found for graph 'sequence'"
    await text(api, "POST", "/ui/sequence", "{}", status=422)
