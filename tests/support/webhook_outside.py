"""The outside world of webhook delivery, in memory: receivers, and the domain name system."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from errors import Unavailable
from ports import Database, DnsResolver, HttpAnswer, HttpSender
from project_config.sections import ProjectConfig
from webhooks.delivery import Courier

URL = "https://hooks.example.com/done"

#: What `hooks.example.com` resolves to unless a test says otherwise.
PUBLIC_ADDRESSES = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")


@dataclass(frozen=True)
class Received:
    """One webhook as it arrived."""

    url: str
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class Receiver:
    """Answers with these, one after the other, and 200 after that; an exception is no answer."""

    answers: list[int | HttpAnswer | BaseException] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> HttpAnswer:
        """See `ports.HttpSender`."""
        self.received.append(Received(url, dict(headers), body))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, BaseException):
            raise answer
        return HttpAnswer(answer) if isinstance(answer, int) else answer

    @property
    def ids(self) -> set[str]:
        """By which a receiver tells deliveries apart."""
        return {each.headers["webhook-id"] for each in self.received}


@dataclass
class Names:
    """Resolves every name to these addresses, as a resolver puts it; with `says`, says that about all instead."""

    addresses: Sequence[str] = PUBLIC_ADDRESSES
    says: str | None = None
    asked: list[str] = field(default_factory=list)

    async def query(self, name: str, kind: Literal["A", "AAAA"]) -> str:
        """See `ports.DnsResolver`."""
        self.asked.append(f"{name} {kind}")
        return self.says if self.says is not None else dns_json(name, kind, self.addresses)


class NoNames:
    """A resolver that does not answer."""

    async def query(self, name: str, kind: Literal["A", "AAAA"]) -> str:
        """See `ports.DnsResolver`."""
        raise Unavailable("the resolver did not answer")


def dns_json(name: str, kind: str, addresses: Sequence[str]) -> str:
    """What a resolver says about the addresses of a name, with the alias on the way to them."""
    record_type = {"A": 1, "AAAA": 28}[kind]
    found = [address for address in addresses if (":" in address) == (kind == "AAAA")]
    alias = {"name": name, "type": 5, "TTL": 300, "data": f"real.{name}."}
    records = [{"name": f"real.{name}", "type": record_type, "TTL": 300, "data": address} for address in found]
    answer = {"Answer": [alias, *records]} if records else {}
    return json.dumps({"Status": 0, "TC": False, "Question": [{"name": name, "type": record_type}], **answer})


def courier(
    db: Database,
    receiver: HttpSender,
    *,
    names: DnsResolver | None = None,
    config: ProjectConfig | None = None,
    secrets: Sequence[bytes] = (),
) -> Courier:
    """A courier to `receiver`."""
    return Courier(db=db, sender=receiver, resolver=names or Names(), config=config or ProjectConfig(), secrets=secrets)
