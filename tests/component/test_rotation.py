"""Credentials that an integration renews: the three-way rule (HA-12, REC-8)."""

from typing import Any

from conftest import Home


async def test_a_renewed_token_is_kept_and_a_newly_declared_one_wins_once(home: Home) -> None:
    """The operator's word counts when it changes, and not each time it is read."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    home.set_refresh_token(entry_id, "renewed")

    for _ in range(10):
        assert (await home.rotator("first"))["action"] == "unchanged"
    assert home.refresh_token(entry_id) == "renewed"

    answer = await home.rotator("second")
    assert answer["changed"] == ["credentials.token.refresh_token"]
    assert home.refresh_token(entry_id) == "second"
    home.set_refresh_token(entry_id, "renewed again")
    assert (await home.rotator("second"))["action"] == "unchanged"
    assert home.refresh_token(entry_id) == "renewed again"


async def test_a_token_that_is_renewed_at_each_set_up_survives_reloads(home: Home) -> None:
    """HA-12: with an integration that really does it."""
    entry_id = (await home.rotator("first", options={"rotate": True}))["entry"]["entry_id"]
    seen = set()
    for number in range(10):
        seen.add(home.refresh_token(entry_id))
        # Something else changes, so that the entry is reloaded, and renews its token.
        answer = await home.rotator("first", options={"rotate": True, "number": number})
        assert answer["changed"] == ["options.number"]
    assert len(seen) == 10
    assert all(token.startswith("rotated-") for token in seen)


async def test_restore_brings_the_declared_token_back(home: Home) -> None:
    """Only where it was asked for."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    home.set_refresh_token(entry_id, "renewed")
    answer = await home.rotator("first", restore=True)
    assert answer["changed"] == ["credentials.token.refresh_token"]
    assert home.refresh_token(entry_id) == "first"
    assert (await home.rotator("first", restore=True))["action"] == "unchanged"


async def test_a_missing_credential_is_written(home: Home) -> None:
    """Though it is the one that was applied last."""
    answer = await home.rotator("first")
    entry = home.entry(answer["entry"]["entry_id"])
    home.hass.config_entries.async_update_entry(entry, data={"host": "192.0.2.1", "token": {"access_token": "access"}})
    assert (await home.rotator("first"))["changed"] == ["credentials.token.refresh_token"]
    assert home.refresh_token(entry.entry_id) == "first"


async def test_an_integration_that_replaces_the_whole_token_keeps_it(home: Home) -> None:
    """OAuth sessions do: with fields that nobody declared, and without some that were."""
    answer = await home.rotator("first")
    entry = home.entry(answer["entry"]["entry_id"])
    session: dict[str, Any] = {"access_token": "new", "refresh_token": "renewed", "expires_at": 1.5, "type": "Bearer"}
    home.hass.config_entries.async_update_entry(entry, data={**entry.data, "token": session})
    assert (await home.rotator("first"))["action"] == "unchanged"
    assert entry.data["token"] == session


async def test_the_operator_may_declare_what_the_integration_has(home: Home) -> None:
    """Export of a renewed token: nothing is written to the entry, and the base follows."""
    answer = await home.rotator("first")
    entry_id = answer["entry"]["entry_id"]
    home.set_refresh_token(entry_id, "renewed")
    exported = await home.rotator("renewed")
    assert exported["action"] == "unchanged"
    assert home.setups(entry_id) == 1
    base = exported["entry"]["owned"]["base"]["token.refresh_token"]
    assert base == exported["entry"]["digests"]["token.refresh_token"] == home.ownership.digest("renewed")


async def test_a_credential_that_is_no_longer_declared_is_left_and_forgotten(home: Home) -> None:
    """Data is owned field by field."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    answer = await home.upsert(credentials={"token.access_token": "access"})
    assert answer["action"] == "unchanged"
    assert list(answer["entry"]["owned"]["base"]) == ["token.access_token"]
    assert home.refresh_token(entry_id) == "first"


async def test_a_token_renewed_while_the_record_is_written_is_not_overwritten(home: Home) -> None:
    """Writing takes a moment, in which Home Assistant goes on."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    save = home.ownership.async_save

    async def save_slowly() -> None:
        home.set_refresh_token(entry_id, "renewed meanwhile")
        await save()

    home.ownership.async_save = save_slowly  # type: ignore[method-assign]
    await home.rotator("first", title="New", lifecycle={"changed": True})
    assert home.refresh_token(entry_id) == "renewed meanwhile"
    assert home.entry(entry_id).title == "New"
