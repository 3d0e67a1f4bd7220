"""The caller as handlers and graphs see them: an object with the same attributes and items."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

#: The attributes that are read from an object which cannot list its fields itself.
_NAMES: Final = ("identity", "is_authenticated", "display_name", "permissions")


class User(Mapping[str, Any]):
    """What `authenticate` returned, or a run's `langgraph_auth_user`: `user.identity`, `user["identity"]`."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        identity = str(fields["identity"])
        self._fields: dict[str, Any] = {
            "identity": identity,
            "is_authenticated": True,
            "display_name": identity,
            **fields,
        }

    @classmethod
    def of(cls, result: Any) -> "User":
        """The user whom `authenticate` returned: a name, a mapping, or an object with an `identity`.

        Raises TypeError.
        """
        if isinstance(result, str):
            return cls({"identity": result})
        fields = _fields(result)
        if not isinstance(fields.get("identity"), str):
            raise TypeError(
                "authenticate must return a name, or a mapping or an object with an 'identity' that is a string, "
                f"not {type(result).__name__}"
            )
        return cls(fields)

    @property
    def identity(self) -> str:
        """The user's id."""
        return self._fields["identity"]

    @property
    def is_authenticated(self) -> bool:
        """Whether the user was authenticated."""
        return self._fields["is_authenticated"]

    @property
    def display_name(self) -> str:
        """The user's name for people."""
        return self._fields["display_name"]

    @property
    def permissions(self) -> Sequence[str]:
        """The user's permissions, in the project's own terms."""
        return self._fields.get("permissions") or []

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON values only."""
        return json.loads(json.dumps(self._fields, default=str))

    def __getattr__(self, name: str) -> Any:
        fields = cast(dict[str, Any], self.__dict__.get("_fields", {}))
        if name not in fields:
            raise AttributeError(f"the user has no {name!r}")
        return fields[name]

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"User({self.identity!r})"


def _fields(result: Any) -> Mapping[str, Any]:
    if isinstance(result, Mapping):
        return cast(Mapping[str, Any], result)
    for name in ("model_dump", "dict", "to_dict"):
        if callable(dump := getattr(result, name, None)):
            return cast(Mapping[str, Any], dump())
    own = {name: value for name, value in getattr(result, "__dict__", {}).items() if not name.startswith("_")}
    return {**own, **{name: getattr(result, name) for name in _NAMES if hasattr(result, name)}}
