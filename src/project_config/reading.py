"""Reads the sections of `langgraph.json` other than its graphs into checked, typed objects.

The bundle step and the Worker both use it. A setting of the official CLI that Superstep cannot honour is refused with
the reason, and an unknown key is an error, because a typing mistake in a security setting must not go unnoticed. The
module imports only Python's standard library, since the bundle step has nothing else.
"""

import re
import types
from collections.abc import Container, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from project_config.sections import MAX_TTL_MINUTES, MOUNT_PREFIX, CorsConfig, ProjectConfig

T = TypeVar("T")


class ProjectConfigError(ValueError):
    """A part of langgraph.json, or a variable, cannot be honoured; the message names it and gives the reason."""


#: Keys that describe a container image; none is built here.
IMAGE_KEYS: Final = (
    "python_version", "node_version", "api_version", "_INTERNAL_docker_tag", "base_image", "image_distro",
    "pip_config_file", "pip_installer", "dockerfile_lines", "keep_pkg_tools",
)  # fmt: skip

#: Keys that the bundle step itself reads.
_BUNDLE_KEYS: Final = ("dependencies", "graphs", "env", "$schema")

#: Keys that would have to be ignored, by path, with the reason for the refusal.
_REFUSED: Final[Mapping[str, str]] = {
    "source": "there is no image to build from a uv project; name its folder in 'dependencies'",
    "project_root": "name the folder in 'dependencies'",
    "package": "name its folder in 'dependencies'",
    "encryption": "handlers for encryption at rest are not called; D1 and Durable Objects encrypt what they store",
    "priority": "every thread has its own queue, so there is no order among threads to change",
    "checkpointer.path": "a checkpoint and the check that its run may still write it are one batch in D1, "
    "which no other checkpointer can promise",
    "checkpointer.serde.pickle_fallback": "whoever can write a checkpoint could run code",
    "checkpointer.serde.allowed_msgpack_modules": "whoever can write a checkpoint could run code; list the classes",
    "checkpointer.serde.allowed_json_modules": "whoever can write a checkpoint could run code; list the classes",
    "http.app": "no ASGI application is mounted; deploy it as a Worker of its own, on a route in front of this one",
}


_IN_LANGGRAPH_JSON: Final = "the section stands in langgraph.json"

#: Variables that configure other LangGraph servers. Whoever sets one of these relies on its effect there.
_FOREIGN_VARIABLES: Final[Mapping[str, str]] = {
    "LANGGRAPH_AES_KEY": "checkpoints are not encrypted with it; D1 and Durable Objects encrypt what they store",
    "LANGGRAPH_AUTH_TYPE": "AUTH, API_KEYS and auth.path in langgraph.json say who may call",
    "LANGGRAPH_AUTH": _IN_LANGGRAPH_JSON,
    "LANGGRAPH_CHECKPOINTER": _IN_LANGGRAPH_JSON,
    "LANGGRAPH_ENCRYPTION": _IN_LANGGRAPH_JSON,
    "LANGGRAPH_HTTP": _IN_LANGGRAPH_JSON,
    "LANGGRAPH_STORE": _IN_LANGGRAPH_JSON,
    "LANGGRAPH_UI": _IN_LANGGRAPH_JSON,
    "LANGGRAPH_WEBHOOKS": _IN_LANGGRAPH_JSON,
    "LANGSERVE_GRAPHS": _IN_LANGGRAPH_JSON,
}


def read_sections(sections: Mapping[str, Any]) -> ProjectConfig:
    """Read the sections of a langgraph.json. Raises `ProjectConfigError`."""
    for path, reason in _REFUSED.items():
        found = _at(sections, path.split("."))
        if found and not isinstance(found, list):  # a list of classes is fine, all classes are not
            raise ProjectConfigError(f"langgraph.json: {path!r} cannot be honoured: {reason}")
    return _checked(_read(ProjectConfig, sections, ""))


def known_sections(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a langgraph.json that `read_sections` takes. Raises `ProjectConfigError` for an unknown key."""
    sections = [field.name for field in fields(ProjectConfig)]
    known = {*sections, *IMAGE_KEYS, *_BUNDLE_KEYS, *(path for path in _REFUSED if "." not in path)}
    for key in document:
        if key not in known:
            raise ProjectConfigError(f"langgraph.json: {_unknown(key, known)}")
    return {key: value for key, value in document.items() if key not in {*IMAGE_KEYS, *_BUNDLE_KEYS}}


def check_variables(names: Container[str]) -> None:
    """Refuse variables that would have to be ignored. `ProjectConfigError` names the first."""
    for name, reason in _FOREIGN_VARIABLES.items():
        if name in names:
            raise ProjectConfigError(f"the variable {name} configures other servers, not this one: {reason}")


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _checked(config: ProjectConfig) -> ProjectConfig:
    """Check what no type expresses."""
    http = config.http
    minutes = config.checkpointer.ttl.default_ttl if config.checkpointer.ttl else None
    if minutes is not None and not 0 < minutes <= MAX_TTL_MINUTES:
        raise ProjectConfigError(
            f"langgraph.json: 'checkpointer.ttl.default_ttl' must be above 0 and at most {MAX_TTL_MINUTES} minutes, "
            f"not {minutes}"
        )
    if http.cors and _allows_every_site(http.cors) and http.cors.allow_credentials:
        raise ProjectConfigError(
            "langgraph.json: 'http.cors' allows credentials to every site; list the sites in 'allow_origins'"
        )
    if not MOUNT_PREFIX.fullmatch(http.mount_prefix):
        raise ProjectConfigError(
            "langgraph.json: 'http.mount_prefix' must begin with a slash and end without one, "
            f"unlike {http.mount_prefix!r}"
        )
    return config


def _allows_every_site(cors: CorsConfig) -> bool:
    try:
        pattern = re.compile(cors.allow_origin_regex or "(?!)")
    except re.error as error:
        raise ProjectConfigError(f"langgraph.json: 'http.cors.allow_origin_regex' is wrong: {error}") from None
    return "*" in cors.allow_origins or pattern.fullmatch("https://nobody-owns-this.invalid") is not None


def _read(kind: type[T], value: Any, where: str) -> T:
    """A dataclass from a JSON object; a null counts as a missing key."""
    if not isinstance(value, dict):
        raise ProjectConfigError(f"langgraph.json: {where!r} must be an object")
    hints = get_type_hints(kind)
    given = {key: content for key, content in cast(dict[str, Any], value).items() if content is not None}
    prefix = f"{where}." if where else ""
    for key in given:
        if key not in hints:
            raise ProjectConfigError(f"langgraph.json: {_unknown(prefix + key, {prefix + name for name in hints})}")
    for each in fields(cast(Any, kind)):
        if each.name not in given and each.default is MISSING and each.default_factory is MISSING:
            raise ProjectConfigError(f"langgraph.json: {prefix + each.name!r} is missing")
    return kind(**{key: _value(hints[key], content, prefix + key) for key, content in given.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    """One value, converted to the type of its field."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if is_dataclass(hint):
        return _read(cast(type[Any], hint), value, where)
    if origin is types.UnionType:
        return _first_that_fits([each for each in arguments if each is not type(None)], value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], each, f"{where}[{index}]") for index, each in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {name: _value(arguments[1], each, f"{where}.{name}") for name, each in value.items()}
    if hint is type(value) or (hint is float and type(value) is int):
        return value
    raise ProjectConfigError(f"langgraph.json: {where!r} must be {_described(hint)}, not {value!r}")


def _first_that_fits(hints: list[Any], value: Any, where: str) -> Any:
    for hint in hints[:-1]:
        try:
            return _value(hint, value, where)
        except ProjectConfigError:
            continue
    return _value(hints[-1], value, where)


def _described(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", tuple: "a list"}
    return names.get(get_origin(hint) or hint, "an object")


def _unknown(key: str, known: set[str]) -> str:
    import difflib  # noqa: PLC0415 - the Worker, which reads what was checked before, does without

    similar = difflib.get_close_matches(key, known, n=1)
    return f"there is no key {key!r}" + (f"; did you mean {similar[0]!r}?" if similar else "")
