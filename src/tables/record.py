"""Dataclasses whose fields are columns, in the same order in every statement."""

from typing import Any, ClassVar, Self

from ports import Row, SqlValue


class Record:
    """The base class of such a dataclass."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The record of a row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @classmethod
    def columns(cls) -> str:
        """The column names, as statements list them."""
        return ", ".join(cls.__dataclass_fields__)

    @classmethod
    def parameters(cls) -> str:
        """One `?` for each column."""
        return ", ".join("?" for _ in cls.__dataclass_fields__)

    def values(self) -> tuple[SqlValue, ...]:
        """The values to bind, in the order of the columns."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)
