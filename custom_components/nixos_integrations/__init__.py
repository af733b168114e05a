"""Start-up mode: creates and updates the entries that configuration.yaml declares, once Home Assistant has started.

Live mode, for a reconciler, is in live.py. The rules for both are in entries.py.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType

from .config import CONFIG_SCHEMA as CONFIG_SCHEMA
from .config import TOKEN_FILE
from .const import DATA_OWNERSHIP, DOMAIN, LOGGER, STARTUP_OWNER
from .credentials import Credential, read
from .describe import reason
from .desired import Desired, RefusedError
from .entries import async_apply
from .live import async_register
from .ownership import Ownership
from .repairs import async_report, async_settle_when_loaded
from .token import async_keep_token


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Offer live mode at once, and apply what is declared when all stored entries have been set up."""
    declared = dict(config[DOMAIN])
    token_file = declared.pop(TOKEN_FILE, None)
    hass.data[DATA_OWNERSHIP] = await Ownership.async_load(hass)
    async_register(hass)

    async def started(hass: HomeAssistant) -> None:
        if token_file is not None:
            hass.async_create_task(async_keep_token(hass, token_file), f"{DOMAIN}: keep a token")
        _report_orphans(hass, declared)
        credentials = await _async_read_credentials(hass, declared)
        for name, entry in declared.items():
            hass.async_create_task(_async_apply(hass, name, entry, credentials), f"{DOMAIN}: apply {name}")

    async_at_started(hass, started)
    return True


def _report_orphans(hass: HomeAssistant, declared: Mapping[str, Any]) -> None:
    for entry, record in hass.data[DATA_OWNERSHIP].entries():
        if record.owner == STARTUP_OWNER and record.name not in declared:
            problem = (
                f"entry `{record.name}` (`{entry.title}` of `{entry.domain}`) is no longer declared, and still there"
            )
            async_report(hass, "orphan", problem, record.name, entry_id=entry.entry_id)


async def _async_read_credentials(hass: HomeAssistant, declared: Mapping[str, Any]) -> dict[str, Credential]:
    """Read the files that are named, and tell in one go of all that are missing, or open to others."""
    uses = [(name, *use) for name, entry in declared.items() for use in entry["credentials"].items()]
    credentials = await hass.async_add_executor_job(read, {file for _, _, file in uses})
    problems: dict[str, list[str]] = {}
    for name, field, file in uses:
        if problem := credentials[file].problem:
            kind = "credentials_missing" if credentials[file].value is None else "credentials_exposed"
            problems.setdefault(kind, []).append(f"- entry `{name}`, field `{field}`: {problem}")
    for kind, lines in problems.items():
        async_report(hass, kind, "\n".join(lines))
    return credentials


async def _async_apply(
    hass: HomeAssistant, name: str, declared: Mapping[str, Any], credentials: Mapping[str, Credential]
) -> None:
    """Apply one entry, and tell what came of it."""
    files = declared["credentials"]
    values = {field: value for field, file in files.items() if (value := credentials[file].value) is not None}
    if len(values) < len(files):
        return
    plain = {key: value for key, value in declared.items() if key not in ("credentials", "on_drift")}
    restore = declared["on_drift"] == "restore"
    desired = Desired(**{"domain": name, **plain}, owner=STARTUP_OWNER, name=name, credentials=values, restore=restore)
    try:
        outcome = await async_apply(hass, desired)
    except RefusedError as err:
        async_report(hass, "refused", f"entry `{name}`: {err}", name)
        return
    entry = outcome.entry
    result = f"entry `{name}` is {outcome.action}, and {entry.state.value}"
    if why := reason(hass.data[DATA_OWNERSHIP], entry, desired.data, values.values()):
        result += f": {why}"
    if not desired.enabled or entry.state is ConfigEntryState.LOADED:
        LOGGER.info(result)
    elif entry.state is ConfigEntryState.SETUP_RETRY:
        LOGGER.warning(result)
    else:
        async_report(hass, "failed", result, name)
        async_settle_when_loaded(hass, entry, "failed", name)
