"""What is declared of an entry, and how it is merged into what the entry has."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from homeassistant.config_entries import ConfigEntry
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.typing import UNDEFINED

from .fields import Keys, get, leaves, locate, overlap, path_of, put
from .ownership import Ownership, Record


class RefusedError(HomeAssistantError):
    """An entry cannot be applied as it is declared. The message carries no value of a field."""

    def __init__(self, code: str, message: str) -> None:
        """Take a code for programs and a message for people."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Desired:
    """An entry as it is declared."""

    owner: str
    name: str
    domain: str
    entry_id: str | None = None
    adopt: bool = False
    expect: str | None = None
    title: str | None = None
    unique_id: str | None = None
    enabled: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    # Whether a credential that the integration has renewed goes back to the declared one.
    restore: bool = False
    lifecycle: Mapping[str, Any] = field(default_factory=dict)

    @property
    def derived_id(self) -> str:
        """The id of an entry that we create. Who has lost its record finds it again by this."""
        return hashlib.sha256(f"{self.owner}/{self.name}".encode()).hexdigest()[:32]

    def plain(self, data: Mapping[str, Any]) -> list[tuple[Keys, Any]]:
        """Return the declared fields that are no credentials, as they are found in the data of an entry."""
        return [field for path, value in self.data.items() for field in leaves(value, locate(data, path))]


@dataclass(frozen=True)
class Outcome:
    """What was done. `changed` names what was written: `title`, `data.host`, `credentials.refresh_token`."""

    entry: ConfigEntry
    action: Literal["created", "updated", "adopted", "unchanged"]
    changed: list[str]


@dataclass(frozen=True)
class Merged:
    """The data and options of an entry with what is declared in them."""

    data: dict[str, Any]
    options: dict[str, Any]
    changed: list[str]
    record: Record


def merge(
    ownership: Ownership,
    desired: Desired,
    data: Mapping[str, Any],
    options: Mapping[str, Any],
    previous: Record | None,
) -> Merged:
    """Merge a declaration into an entry. Fields that are not declared stay as they are.

    A credential is written where the entry has none, and where another one is declared than the one last applied, whose
    digest is the base. Else, if the entry has a different one, the integration has renewed it: it stays, unless
    `restore` is declared.
    """
    plain = desired.plain(data)
    secret = {path: locate(data, path) for path in desired.credentials}
    _refuse_overlap([*(keys for keys, _ in plain), *secret.values()])

    merged = dict(data)
    changed = []
    for keys, value in plain:
        if get(data, keys) != value:
            merged = put(merged, keys, value)
            changed.append(f"data.{path_of(keys)}")

    base: dict[str, str] = {}
    replaced: dict[str, list[str]] = {}
    for path, keys in secret.items():
        value, actual = desired.credentials[path], get(data, keys)
        base[path] = ownership.digest(value)
        if previous is not None and path in previous.replaced:
            replaced[path] = previous.replaced[path]
        renewed = actual is not UNDEFINED and previous is not None and previous.base.get(path) == base[path]
        if actual == value or (renewed and not desired.restore):
            continue
        if actual is not UNDEFINED:
            replaced[path] = [*replaced.get(path, ()), ownership.digest(actual)]
        merged = put(merged, keys, value)
        changed.append(f"credentials.{path}")

    changed += [f"options.{key}" for key, value in desired.options.items() if options.get(key, UNDEFINED) != value]
    record = Record(owner=desired.owner, name=desired.name, lifecycle=desired.lifecycle, base=base, replaced=replaced)
    return Merged(merged, {**options, **desired.options}, changed, record)


def _refuse_overlap(fields: list[Keys]) -> None:
    for one, other in pairwise(sorted(fields)):
        if overlap(one, other):
            raise RefusedError("invalid", f"field `{path_of(other)}` is declared twice: also as `{path_of(one)}`")
