"""Makes vendored sources smaller without changing what they do: the Worker's heap and upload have limits.

Line numbers stay, so tracebacks still point at the published source.
"""

import ast
import io
import tokenize
from pathlib import Path
from typing import Final

#: `__init__` modules that import far more than a Worker needs, and nothing but names to re-export.
LAZY_EXPORTS: Final = ("langsmith/types/__init__.py",)

Documented = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


def slim(folder: Path) -> None:
    """Slim every Python file in a folder of packages."""
    for name in LAZY_EXPORTS:
        path = folder / name
        if path.exists():
            path.write_text(with_lazy_exports(path.read_text()))
    for path in folder.rglob("*.py"):
        path.write_bytes(slimmed(path.read_bytes()))


def slimmed(source: bytes) -> bytes:
    """The source without comments, and with empty docstrings in modules and functions.

    Those of classes stay: JSON schemas show them. A source that this Python cannot parse is returned as it is.
    """
    try:
        tree = ast.parse(source)
        source.decode()
    except (SyntaxError, UnicodeDecodeError):
        return source
    return _without_comments(_without_docstrings(source, tree).decode()).encode()


def _without_docstrings(source: bytes, tree: ast.Module) -> bytes:
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, Documented) and (docstring := _docstring(node)):
            first, last = docstring.lineno - 1, (docstring.end_lineno or 0) - 1
            after = lines[last][docstring.end_col_offset :]
            lines[first] = lines[first][: docstring.col_offset] + b'""' + after
            lines[first + 1 : last + 1] = [b"\n"] * (last - first)
    return b"".join(lines)


def _without_comments(source: str) -> str:
    """The first two lines stay: one of them may name the encoding."""
    lines = io.StringIO(source, newline="").readlines()
    for token in tokenize.generate_tokens(iter(lines).__next__):
        row, column = token.start
        if token.type == tokenize.COMMENT and row > 2:
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    return "".join(lines)


def with_lazy_exports(source: str) -> str:
    """An `__init__` that only re-exports names, importing each one's module when the name is first used."""
    modules: dict[str, str] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.ImportFrom(module="__future__"):
                pass
            case ast.ImportFrom(module=str(module), level=1, names=names):
                modules |= {alias.asname or alias.name: module for alias in names}
            case _:
                raise ValueError(f"line {statement.lineno} does more than re-export names")
    return (
        "from importlib import import_module as _import_module\n"
        f"_MODULES = {modules!r}\n"
        "def __getattr__(name):\n"
        "    if name not in _MODULES:\n"
        '        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")\n'
        '    return getattr(_import_module(f".{_MODULES[name]}", __name__), name)\n'
    )


def _docstring(node: Documented) -> ast.Constant | None:
    match node.body:
        case [ast.Expr(value=ast.Constant(value=str()) as docstring), *_]:
            return docstring
        case _:
            return None
