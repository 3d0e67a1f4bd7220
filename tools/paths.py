"""Where things are in the checkout. Everything the tools generate lies in git-ignored places named here."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

#: What the tools build and can rebuild: runtime bundle, wrapper, test worker, stamps.
BUILD: Final = ROOT / ".superstep"

WORKERD_WRAPPER: Final = BUILD / "workerd"
NODE_MODULES: Final = ROOT / "node_modules"
PYTHON_MODULES: Final = ROOT / "python_modules"
SOURCE: Final = ROOT / "src"
PROJECT: Final = SOURCE / "project"
SHIMS: Final = ROOT / "vendor"
DEV_LOCK: Final = ROOT / "requirements-dev.lock"
WORKER_EXCLUDES: Final = ROOT / "tools" / "worker_excludes.txt"
WORKER_OPTIONAL: Final = ROOT / "tools" / "worker_optional.txt"
WORKER_LOCK: Final = ROOT / "requirements-worker.lock"
PURE_LOCK: Final = ROOT / "requirements-worker-pure.lock"
TEST_LOCK: Final = ROOT / "requirements-worker-tests.lock"
DIFFERENTIAL_LOCK: Final = ROOT / "requirements-differential.lock"
PROJECT_REQUIREMENTS: Final = BUILD / "project-requirements.txt"
LOCAL_SECRETS: Final = ROOT / ".dev.vars"
LANGGRAPH_JSON: Final = ROOT / "langgraph.json"
MIGRATIONS: Final = ROOT / "migrations"
WORKERD_TESTS: Final = ROOT / "tests" / "workerd"
PRODUCTION_CONFIG: Final = ROOT / "wrangler.toml"

#: At the root, so that `main`, `migrations`, `python_modules` and `.dev.vars` mean what they mean in `wrangler.toml`.
LOCAL_CONFIG: Final = ROOT / "wrangler.local.json"
