"""What the files of the component agree on."""

import logging
from typing import TYPE_CHECKING, Final

from homeassistant.util.hass_dict import HassKey

if TYPE_CHECKING:
    from .ownership import Ownership

DOMAIN: Final = "nixos_integrations"
LOGGER: Final = logging.getLogger(__package__)

# Of the WebSocket commands. It grows when an older reconciler would misread an answer.
PROTOCOL: Final = 1

# Who owns the entries of start-up mode. Live mode meets them as somebody else's.
STARTUP_OWNER: Final = "configuration.yaml"

DATA_OWNERSHIP: HassKey[Ownership] = HassKey(DOMAIN)
