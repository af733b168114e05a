"""The fields of an entry's data, named by their paths: `host`, or, where one is nested, `token.refresh_token`."""

from collections.abc import Iterator, Mapping
from typing import Any

from homeassistant.helpers.typing import UNDEFINED

type Keys = tuple[str, ...]


def locate(data: Mapping[str, Any], path: str) -> Keys:
    """Return the keys that lead to a field. A key of exactly that name wins over the dotted reading."""
    if path in data:
        return (path,)
    for key, value in data.items():
        if isinstance(value, Mapping) and path.startswith(f"{key}."):
            return (key, *locate(value, path.removeprefix(f"{key}.")))
    return tuple(path.split("."))


def path_of(keys: Keys) -> str:
    """Return the path of a field."""
    return ".".join(map(str, keys))


def leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield all fields below a value. A list is one field, and so is an empty mapping."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*keys, key))
    elif keys:
        yield keys, value


def get(data: Mapping[str, Any], keys: Keys) -> Any:
    """Return the value of a field, UNDEFINED where there is none."""
    value: Any = data
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return UNDEFINED
        value = value[key]
    return value


def put(data: Mapping[str, Any], keys: Keys, value: Any) -> dict[str, Any]:
    """Return the data with one field set. What an entry holds may not be changed in place."""
    first, *rest = keys
    if not rest:
        return {**data, first: value}
    inner = data.get(first)
    return {**data, first: put(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)}


def overlap(one: Keys, other: Keys) -> bool:
    """Tell whether two fields are the same, or one is inside the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
