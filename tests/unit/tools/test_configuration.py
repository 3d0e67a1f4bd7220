"""The two configurations and the locks: production stays free of development flags, locks name no host."""

import json
import re
from pathlib import Path

import pytest

from tools import bundle_project, local_config, node_runtime, paths, pyodide_bundle, worker_copy, worker_packages

LOCKS = [paths.WORKER_LOCK, paths.PURE_LOCK, paths.TEST_LOCK, paths.DEV_LOCK]


def test_production_has_no_development_flags() -> None:
    assert local_config.production_config()["compatibility_flags"] == ["python_workers"]


def test_local_serving_adds_only_the_development_flags_and_an_open_door() -> None:
    production = local_config.production_config()
    local = local_config.localised(production)
    assert local.pop("compatibility_flags") == ["python_workers", "python_workers_development", "experimental"]
    assert local.pop("dev") == {"ip": "127.0.0.1"}
    production.pop("compatibility_flags")
    assert local.pop("vars") == {**(variables := production.pop("vars")), "AUTH": "none"}
    assert "AUTH" not in variables
    assert local == production


def test_hot_reload_watches_what_exists_but_not_what_the_build_step_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "LOCAL_CONFIG", tmp_path / "wrangler.local.json")
    config = json.loads(local_config.ensure_local_config([paths.LANGGRAPH_JSON, tmp_path]).read_text())
    # wrangler appends each entry to the folder of the configuration, absolute or not.
    watched = [Path(f"{tmp_path}/{entry}").resolve() for entry in config["build"]["watch_dir"]]
    assert {paths.LANGGRAPH_JSON, tmp_path.resolve(), paths.SOURCE / "entry.py", paths.SOURCE / "api"} <= set(watched)
    assert all(path.exists() for path in watched)
    assert not any(paths.PROJECT.is_relative_to(path) for path in watched)


def test_a_copy_has_its_own_main_and_no_build_step() -> None:
    config = worker_copy.copy_config(local_config.production_config(), "worker.py")
    assert config["main"] == "src/worker.py"
    assert "build" not in config


def test_data_files_are_shipped_by_the_same_rule_that_the_bundle_step_knows() -> None:
    (rule,) = local_config.production_config()["rules"]
    assert set(rule["globs"]) == {f"project/**/*{suffix}" for suffix in bundle_project.DATA_SUFFIXES}


def test_the_bundle_step_and_the_tools_mean_the_same_places() -> None:
    assert bundle_project.ROOT == paths.ROOT
    assert bundle_project.TARGET == paths.PROJECT
    assert bundle_project.PYTHON_MODULES == paths.PYTHON_MODULES
    assert bundle_project.REQUIREMENTS == paths.PROJECT_REQUIREMENTS
    assert bundle_project.DEFAULT_CONFIG == paths.LANGGRAPH_JSON


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_file_has_a_hash_and_no_lock_names_an_index(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?://|--index|--find-links|file:", text)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in entry


def test_the_npm_lock_names_no_registry() -> None:
    assert '"resolved"' not in (paths.ROOT / "package-lock.json").read_text()


def test_the_pinned_pyodide_is_the_one_that_is_patched() -> None:
    assert f'"pyodide": "{pyodide_bundle.PYODIDE_VERSION}"' in (paths.ROOT / "package.json").read_text()


def test_the_wrapper_passes_the_bundle_to_serve_only(tmp_path: Path) -> None:
    script = node_runtime.WRAPPER.format(bundle="/b", workerd="/w")
    assert 'set -- serve --pyodide-bundle-disk-cache-dir=/b "$@"' in script
    assert script.endswith('exec /w "$@"\n')


def test_locked_versions_are_read_with_or_without_hashes() -> None:
    lock = "a==1.0 \\\n    --hash=sha256:0\n    # via b\n# comment\nb==2 ; python_version < '4'\n"
    assert list(worker_packages.locked_versions(lock)) == [("a", "1.0"), ("b", "2")]
