"""Dataclasses whose fields are columns, in one order for every statement."""

from typing import Any, ClassVar, Self

from ports import Row, SqlValue


class Record:
    """The base of such a dataclass."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The row as stored."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @classmethod
    def columns(cls) -> str:
        """Their names, as statements list them."""
        return ", ".join(cls.__dataclass_fields__)

    @classmethod
    def parameters(cls) -> str:
        """A `?` for each."""
        return ", ".join("?" for _ in cls.__dataclass_fields__)

    def values(self) -> tuple[SqlValue, ...]:
        """What to bind to them."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)
