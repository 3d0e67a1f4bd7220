"""How workerd is started."""

import subprocess

from tools.node_runtime import WRAPPER


def test_workerd_is_started_with_a_bundle_and_any_inspector_port() -> None:
    script = WRAPPER.format(bundle="'a bundle'", workerd="printf '%s\\n'")

    command = ["sh", "-c", script, "workerd", "serve", "--binary", "--inspector-addr=127.0.0.1:9229", "-"]
    started = subprocess.run(command, text=True, capture_output=True, check=True).stdout.splitlines()

    assert started == [
        "serve",
        "--pyodide-bundle-disk-cache-dir=a bundle",
        "--binary",
        "--inspector-addr=127.0.0.1:0",
        "-",
    ]


def test_other_commands_of_workerd_stay_as_they_are() -> None:
    script = WRAPPER.format(bundle="bundle", workerd="printf '%s\\n'")

    started = subprocess.run(["sh", "-c", script, "workerd", "--version"], text=True, capture_output=True, check=True)

    assert started.stdout == "--version\n"
