"""The YAML of start-up mode. A key is the name of an entry, or, where it begins with `_`, a setting."""

from typing import Any, Final

import probatio
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.json import json_bytes
from homeassistant.util.json import json_loads

from .const import DOMAIN

TOKEN_FILE: Final = "_token_file"


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _as_stored(value: Any) -> Any:
    """Return a value as Home Assistant's storage gives it back, so that a second start finds it equal.

    Text that cannot be written (half of a surrogate pair) would keep Home Assistant from storing any entry.
    """
    try:
        return json_loads(json_bytes(value))
    except (TypeError, ValueError) as err:
        raise probatio.Invalid("cannot be stored: perhaps a character is written as two escapes") from err


def _file_name(value: Any) -> str:
    """Return the name of a file inside the folder of the credentials."""
    name = cv.string(value)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise probatio.Invalid("expected the name of a file in the folder of the credentials")
    return name


_FIELDS = probatio.All(_or_empty, dict)

_ENTRY = probatio.Schema(
    {
        # The name, where it is not given.
        probatio.Optional("domain"): cv.string,
        probatio.Optional("title"): cv.string,
        probatio.Optional("unique_id"): cv.string,
        probatio.Optional("enabled", default=True): cv.boolean,
        probatio.Optional("adopt", default=False): cv.boolean,
        probatio.Optional("data", default=dict): _FIELDS,
        probatio.Optional("options", default=dict): _FIELDS,
        probatio.Optional("credentials", default=dict): probatio.All(_or_empty, {cv.string: _file_name}),
        probatio.Optional("on_drift", default="keep"): probatio.In(["keep", "restore"]),
    }
)

_NAME = r"(?!_)[^\ud800-\udfff]+\Z"

# A schema of its own: inside the other one, it would let other keys pass, too.
_DECLARED = probatio.Schema(
    {
        probatio.Optional(TOKEN_FILE): cv.string,
        probatio.All(cv.string, probatio.Match(_NAME)): probatio.All(_or_empty, _as_stored, _ENTRY),
    }
)

CONFIG_SCHEMA: Final = probatio.Schema({DOMAIN: probatio.All(_or_empty, _DECLARED)}, extra=probatio.ALLOW_EXTRA)
