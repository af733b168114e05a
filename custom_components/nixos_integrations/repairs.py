"""Repair issues: what is wrong, and the removal of an entry that is no longer declared."""

import logging
from typing import override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, LOGGER, STARTUP_OWNER
from .desired import RefusedError
from .entries import async_remove

WARNINGS = {"credentials_exposed", "orphan"}


@callback
def async_report(hass: HomeAssistant, kind: str, problem: str, name: str = "", *, entry_id: str | None = None) -> None:
    """Log a problem, and raise an issue for it. With the id of an entry, the repair is to remove that entry."""
    warning = kind in WARNINGS
    LOGGER.log(logging.WARNING if warning else logging.ERROR, "%s: %s", kind, problem)
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{kind}_{name}",
        data=None if entry_id is None else {"entry_id": entry_id},
        is_fixable=entry_id is not None,
        severity=ir.IssueSeverity.WARNING if warning else ir.IssueSeverity.ERROR,
        translation_key=kind,
        translation_placeholders={"name": name, "problem": problem},
    )


@callback
def async_settle(hass: HomeAssistant, kind: str, name: str = "") -> None:
    """Take an issue back, when its problem is gone."""
    ir.async_delete_issue(hass, DOMAIN, f"{kind}_{name}")


@callback
def async_settle_when_loaded(hass: HomeAssistant, entry: ConfigEntry, kind: str, name: str) -> None:
    """Take an issue back when an entry works after all: somebody may sign in again."""

    @callback
    def settle() -> None:
        if entry.state is ConfigEntryState.LOADED:
            async_settle(hass, kind, name)

    entry.async_on_state_change(settle)


class RemoveOrphanFlow(ConfirmRepairFlow):
    """Removes an entry that the YAML declared once, when somebody has confirmed it."""

    def __init__(self, entry_id: str) -> None:
        """Take the entry."""
        self._entry_id = entry_id

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Remove the entry."""
        if user_input is not None:
            try:
                await async_remove(self.hass, STARTUP_OWNER, self._entry_id, "delete")
            except RefusedError:
                return self.async_abort(reason="no_longer_ours")
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that repairs an issue. Home Assistant asks for those that are fixable, so for orphans."""
    return RemoveOrphanFlow(str((data or {})["entry_id"]))
