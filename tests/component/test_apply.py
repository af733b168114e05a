"""Creating, updating and taking over entries (HA-3, HA-4, HA-5, HA-7)."""

import asyncio
import hashlib
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntries, ConfigEntryDisabler, ConfigEntryState

from conftest import ROTATOR, CommandError, Home


async def test_a_declared_entry_is_created_with_the_versions_of_its_integration(home: Home) -> None:
    """HA-3."""
    answer = await home.rotator(title="At home", unique_id="1234", options={"color": "red"})

    assert answer["action"] == "created"
    assert answer["changed"] == [
        "title",
        "unique_id",
        "data.host",
        "credentials.token.access_token",
        "credentials.token.refresh_token",
        "options.color",
    ]
    entry = home.entry(answer["entry"]["entry_id"])
    assert entry.entry_id == hashlib.sha256(b"tests/home").hexdigest()[:32]
    assert (entry.domain, entry.title, entry.unique_id, entry.source) == (ROTATOR, "At home", "1234", "import")
    assert (entry.version, entry.minor_version) == (3, 2)
    assert entry.data == {"host": "192.0.2.1", "token": {"access_token": "access", "refresh_token": "first"}}
    assert entry.options == {"color": "red"}
    assert entry.state is ConfigEntryState.LOADED
    assert answer["entry"]["state"] == "loaded"


async def test_an_entry_without_a_title_is_titled_by_its_name(home: Home) -> None:
    """The title stays, too, when an update declares none."""
    answer = await home.rotator()
    assert answer["entry"]["title"] == "home"
    await home.rotator(title="Named")
    assert (await home.rotator())["entry"]["title"] == "Named"


async def test_a_second_apply_writes_nothing_and_reloads_nothing(home: Home) -> None:
    """HA-5."""
    answer = await home.rotator(
        title="At home", unique_id="1234", options={"color": "red"}, lifecycle={"adopt": "never"}
    )
    entry_id = answer["entry"]["entry_id"]
    await asyncio.sleep(1.2)
    writes = home.writes
    assert writes.count("core.config_entries") == 1

    again = await home.rotator(
        title="At home", unique_id="1234", options={"color": "red"}, lifecycle={"adopt": "never"}
    )

    assert (again["action"], again["changed"]) == ("unchanged", [])
    assert again["entry"]["modified_at"] == answer["entry"]["modified_at"]
    assert home.setups(entry_id) == 1
    await asyncio.sleep(1.2)
    assert home.writes == writes


async def test_a_change_is_written_and_the_entry_reloaded_once(home: Home) -> None:
    """HA-4."""
    entry_id = (await home.rotator())["entry"]["entry_id"]

    answer = await home.rotator(data={"host": "192.0.2.2"}, options={"color": "blue"}, title="New")

    assert (answer["action"], answer["changed"]) == ("updated", ["title", "data.host", "options.color"])
    assert answer["entry"]["data"] == {"host": "192.0.2.2"}
    assert home.entry(entry_id).data["host"] == "192.0.2.2"
    assert home.setups(entry_id) == 2
    assert answer["entry"]["state"] == "loaded"


async def test_an_entry_that_reloads_itself_is_not_reloaded_twice(home: Home) -> None:
    """And the answer waits for its reload."""
    entry_id = (await home.rotator(options={"listen": True}))["entry"]["entry_id"]

    answer = await home.rotator(options={"listen": True, "seconds": 0.1}, data={"host": "192.0.2.2"})

    assert answer["entry"]["state"] == "loaded"
    await home.hass.async_block_till_done()
    assert home.setups(entry_id) == 2


async def test_a_new_title_alone_reloads_nothing(home: Home) -> None:
    """An integration is not interrupted for a name."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    assert (await home.rotator(title="New"))["changed"] == ["title"]
    assert home.setups(entry_id) == 1


async def test_a_unique_id_is_given_and_changed(home: Home) -> None:
    """An entry that was made without one gets it."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    for unique_id in ("1234", "5678"):
        answer = await home.rotator(unique_id=unique_id)
        assert (answer["changed"], answer["entry"]["entry_id"]) == (["unique_id"], entry_id)
        assert home.entry(entry_id).unique_id == unique_id
    assert (await home.rotator())["action"] == "unchanged"


async def test_fields_that_are_not_declared_stay(home: Home) -> None:
    """Data and options are owned key by key, nested ones too."""
    data = {"host": "192.0.2.1", "nested": {"declared": 1}}
    entry = home.entry((await home.rotator(data=data, options={"mine": 1}))["entry"]["entry_id"])
    home.hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, "own": "kept", "nested": {"declared": 1, "own": {"kept": True}}},
        options={**entry.options, "own": "kept"},
    )

    unchanged = await home.rotator(data=data, options={"mine": 1})
    changed = await home.rotator(data={"host": "192.0.2.2", "nested": {"declared": 2}}, options={"mine": 2})

    assert unchanged["action"] == "unchanged"
    assert changed["changed"] == ["data.host", "data.nested.declared", "options.mine"]
    assert entry.data["own"] == "kept"
    assert entry.data["nested"] == {"declared": 2, "own": {"kept": True}}
    assert entry.options == {"mine": 2, "own": "kept"}


async def test_a_dotted_path_and_a_mapping_mean_the_same_field(home: Home) -> None:
    """But a key of exactly that name wins, and keys inside a mapping are never split."""
    await home.rotator(data={"host": "h", "nested.one": 1, "hosts": {"192.0.2.1": "a"}})
    answer = await home.rotator(data={"host": "h", "nested": {"one": 1}, "hosts.192.0.2.1": "a"})
    assert answer["action"] == "unchanged"
    entry = home.entry(answer["entry"]["entry_id"])
    assert entry.data["nested"] == {"one": 1}
    assert entry.data["hosts"] == {"192.0.2.1": "a"}


async def test_an_entry_is_disabled_and_enabled_again(home: Home) -> None:
    """What somebody switched off by hand is switched on again."""
    entry_id = (await home.rotator(enabled=False))["entry"]["entry_id"]
    entry = home.entry(entry_id)
    assert (entry.disabled_by, entry.state) == (ConfigEntryDisabler.USER, ConfigEntryState.NOT_LOADED)
    assert (await home.rotator(enabled=False))["action"] == "unchanged"

    enabled = await home.rotator(data={"host": "192.0.2.2"})
    assert enabled["changed"] == ["enabled", "data.host"]
    assert (enabled["entry"]["disabled_by"], enabled["entry"]["state"]) == (None, "loaded")
    assert home.setups(entry_id) == 1

    disabled = await home.rotator(data={"host": "192.0.2.3"}, enabled=False)
    assert disabled["changed"] == ["enabled", "data.host"]
    assert (disabled["entry"]["disabled_by"], disabled["entry"]["state"]) == ("user", "not_loaded")
    assert home.setups(entry_id) == 1


async def test_two_accounts_of_one_integration_keep_their_own_credentials(home: Home) -> None:
    """HA-7."""
    one = await home.rotator("of-one", name="one")
    two = await home.rotator("of-two", name="two")
    assert one["entry"]["entry_id"] != two["entry"]["entry_id"]
    assert home.refresh_token(one["entry"]["entry_id"]) == "of-one"
    assert home.refresh_token(two["entry"]["entry_id"]) == "of-two"
    await home.rotator("of-one-anew", name="one")
    assert home.refresh_token(two["entry"]["entry_id"]) == "of-two"


async def test_an_entry_made_by_hand_is_taken_over_only_on_request(home: Home) -> None:
    """HA-5."""
    hand = await home.by_hand()
    with pytest.raises(CommandError) as refused:
        await home.rotator(entry_id=hand.entry_id)
    assert refused.value.code == "not_owned"
    assert hand.data["host"] == "192.0.2.7"

    answer = await home.rotator(entry_id=hand.entry_id, adopt=True)

    assert answer["action"] == "adopted"
    assert answer["changed"] == ["data.host", "credentials.token.access_token", "credentials.token.refresh_token"]
    assert home.refresh_token(hand.entry_id) == "first"
    assert home.setups(hand.entry_id) == 2
    assert (await home.rotator())["action"] == "unchanged"


@pytest.mark.parametrize(
    ("hand", "declared"),
    [
        ({"unique_id": "1234"}, {"unique_id": "1234"}),
        ({"data": {"host": "192.0.2.1", "token": {"access_token": "", "refresh_token": ""}}}, {}),
        ({"options": {"color": "red"}}, {"data": {}, "options": {"color": "red"}}),
    ],
)
async def test_asked_to_adopt_it_finds_what_is_meant(
    home: Home, hand: dict[str, Any], declared: dict[str, Any]
) -> None:
    """By unique id, else by the declared fields; without the request, live mode creates."""
    entry = await home.by_hand(**hand)
    answer = await home.rotator(**declared, adopt=True)
    assert (answer["action"], answer["entry"]["entry_id"]) == ("adopted", entry.entry_id)


async def test_where_several_entries_could_be_meant_none_is_taken(home: Home) -> None:
    """A guess would hand a token to the wrong account."""
    data = {"host": "192.0.2.1", "token": {"access_token": "", "refresh_token": ""}}
    await home.by_hand(data=data)
    await home.by_hand(data=data)
    with pytest.raises(CommandError) as refused:
        await home.rotator(adopt=True)
    assert refused.value.code == "already_exists"


async def test_an_ignored_discovery_is_not_taken_for_an_entry(home: Home) -> None:
    """Neither to be adopted nor as a duplicate."""
    ignored = await home.by_hand(unique_id="1234", source="ignore", data={"x": 1})
    answer = await home.rotator(unique_id="1234", adopt=True)
    assert answer["action"] == "created"
    assert ignored.source == "ignore"


async def test_an_entry_can_be_renamed(home: Home) -> None:
    """It is the same entry under another name, and the old name is free."""
    entry_id = (await home.rotator(name="old"))["entry"]["entry_id"]
    answer = await home.rotator(name="new", entry_id=entry_id)
    assert (answer["action"], answer["changed"]) == ("updated", [])
    assert answer["entry"]["owned"]["name"] == "new"
    assert (await home.rotator(name="new"))["entry"]["entry_id"] == entry_id

    other = await home.rotator(name="old")
    assert other["action"] == "created"
    assert other["entry"]["entry_id"] != entry_id
    with pytest.raises(CommandError) as refused:
        await home.rotator(name="old", entry_id=entry_id)
    assert refused.value.code == "already_exists"


async def test_the_entry_of_another_owner_is_left_alone(home: Home) -> None:
    """Neither written nor removed, nor by its derived id."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    for command in (
        home.rotator(owner="somebody", entry_id=entry_id, adopt=True),
        home.command("remove", owner="somebody", entry_id=entry_id, mode="delete"),
    ):
        with pytest.raises(CommandError) as refused:
            await command
        assert refused.value.code == "not_owned"
    assert home.entry(entry_id).state is ConfigEntryState.LOADED
    assert (await home.rotator(owner="somebody"))["action"] == "created"


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"domain": "no_such_integration"}, "unknown_integration"),
        ({"domain": "persistent_notification"}, "no_config_flow"),
        ({"entry_id": "no-such-entry"}, "not_found"),
        ({"owner": "configuration.yaml"}, "invalid"),
        ({"data": {"token": {"refresh_token": "x"}}, "credentials": {"token.refresh_token": "y"}}, "invalid"),
        ({"data": {"token": "x"}, "credentials": {"token.refresh_token": "y"}}, "invalid"),
        ({"data": {"a.b": 1, "a": {"b": 2}}}, "invalid"),
    ],
)
async def test_what_cannot_be_applied_is_refused_and_leaves_nothing(
    home: Home, declared: dict[str, Any], code: str
) -> None:
    """Neither an entry nor a record."""
    with pytest.raises(CommandError) as refused:
        await home.upsert(**declared)
    assert refused.value.code == code
    assert home.hass.config_entries.async_entries() == []
    assert (await home.command("list", all=True))["entries"] == []


async def test_an_entry_cannot_become_one_of_another_integration(home: Home) -> None:
    """Its data would make no sense there."""
    await home.rotator()
    with pytest.raises(CommandError) as refused:
        await home.upsert(domain="local_todo")
    assert refused.value.code == "invalid"


async def test_an_integration_that_cannot_be_loaded_says_what_it_lacks(home: Home) -> None:
    """On NixOS this is the package that `extraComponents` would bring."""
    with pytest.raises(CommandError) as refused:
        await home.upsert(domain="zwave_js")
    assert refused.value.code == "unknown_integration"
    assert "zwave_js_server" in refused.value.message


async def test_a_second_entry_of_a_single_entry_integration_is_refused(home: Home) -> None:
    """HA-5. Home Assistant itself would take it."""
    await home.by_hand("mqtt", version=2, disabled_by=ConfigEntryDisabler.USER)
    with pytest.raises(CommandError) as refused:
        await home.upsert(domain="mqtt", data={"broker": "192.0.2.1"}, enabled=False)
    assert refused.value.code == "single_instance"
    adopted = await home.upsert(domain="mqtt", data={"broker": "192.0.2.1"}, enabled=False, adopt=True)
    assert adopted["action"] == "adopted"


async def test_a_second_entry_with_the_same_unique_id_is_refused(home: Home) -> None:
    """HA-5. Also where an existing entry would get it."""
    await home.rotator(name="one", unique_id="1234")
    other = await home.rotator(name="two", unique_id="5678")
    for name in ("two", "three"):
        with pytest.raises(CommandError) as refused:
            await home.rotator(name=name, unique_id="1234")
        assert refused.value.code == "already_exists"
    assert home.entry(other["entry"]["entry_id"]).unique_id == "5678"
    assert len(home.hass.config_entries.async_entries(ROTATOR)) == 2


async def test_an_entry_that_was_doubled_by_others_is_still_ours(home: Home) -> None:
    """The second one was not our doing, and Home Assistant tells of it."""
    await home.rotator(unique_id="1234")
    await home.by_hand(unique_id="1234")
    assert (await home.rotator(unique_id="1234"))["action"] == "unchanged"


async def test_two_that_declare_the_same_unique_id_at_once_make_one_entry(
    home: Home, hass_ws_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check and the creation are one step, however long writing takes."""
    save = home.ownership.async_save

    async def save_slowly() -> None:
        await asyncio.sleep(0.05)
        await save()

    monkeypatch.setattr(home.ownership, "async_save", save_slowly)
    sockets = [await hass_ws_client(home.hass) for _ in range(4)]
    for number, socket in enumerate(sockets):
        await socket.send_json_auto_id(
            {
                "type": "nixos_integrations/upsert",
                "owner": "tests",
                "name": f"n{number}",
                "domain": ROTATOR,
                "unique_id": "1234",
                "data": {"host": "h", "token": {"access_token": "a", "refresh_token": "r"}},
                "options": {"seconds": 0.05},
            }
        )
    answers = [await socket.receive_json() for socket in sockets]
    assert sorted(answer["success"] for answer in answers) == [False, False, False, True]
    assert len(home.hass.config_entries.async_entries(ROTATOR)) == 1


async def test_different_entries_are_set_up_at_the_same_time_and_one_entry_in_turn(
    home: Home, hass_ws_client: Any
) -> None:
    """A slow integration holds nobody up."""
    sockets = [await hass_ws_client(home.hass) for _ in range(6)]
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for name, socket in zip(["a", "b", "c", "d", "a", "a"], sockets, strict=True):
        await socket.send_json_auto_id(
            {
                "type": "nixos_integrations/upsert",
                "owner": "tests",
                "name": name,
                "domain": ROTATOR,
                "data": {"host": "h", "token": {"access_token": "a", "refresh_token": "r"}},
                "options": {"seconds": 0.3},
            }
        )
    results = [(await socket.receive_json())["result"] for socket in sockets]
    assert loop.time() - begin < 0.9
    assert [result["action"] for result in results] == ["created"] * 4 + ["unchanged"] * 2
    assert {result["entry"]["state"] for result in results} == {"loaded"}


async def test_who_applies_an_entry_again_waits_until_it_is_set_up(
    home: Home, hass_ws_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading an integration for the first time takes a while, in which the entry is there and not loaded."""
    set_up = ConfigEntries.async_setup

    async def load_slowly(manager: ConfigEntries, entry_id: str, _lock: bool = True) -> bool:
        await asyncio.sleep(0.1)
        return await set_up(manager, entry_id, _lock)

    monkeypatch.setattr(ConfigEntries, "async_setup", load_slowly)
    sockets = [await hass_ws_client(home.hass) for _ in range(2)]
    for socket in sockets:
        await socket.send_json_auto_id(
            {
                "type": "nixos_integrations/upsert",
                "owner": "tests",
                "name": "home",
                "domain": ROTATOR,
                "data": {"host": "one", "token": {"access_token": "a", "refresh_token": "r"}},
            }
        )
    results = [(await socket.receive_json())["result"] for socket in sockets]
    assert [(result["action"], result["entry"]["state"]) for result in results] == [
        ("created", "loaded"),
        ("unchanged", "loaded"),
    ]


async def test_a_change_that_arrives_while_an_entry_is_set_up_takes_effect(home: Home, hass_ws_client: Any) -> None:
    """The integration has read the former data by then, so the entry is set up again."""
    sockets = [await hass_ws_client(home.hass) for _ in range(2)]
    for host, socket in zip(["one", "two"], sockets, strict=True):
        await socket.send_json_auto_id(
            {
                "type": "nixos_integrations/upsert",
                "owner": "tests",
                "name": "home",
                "domain": ROTATOR,
                "data": {"host": host, "token": {"access_token": "a", "refresh_token": "r"}},
                "options": {"seconds": 0.2},
            }
        )
        await asyncio.sleep(0.1)
    results = [(await socket.receive_json())["result"] for socket in sockets]
    assert [result["action"] for result in results] == ["created", "updated"]
    entry_id = results[0]["entry"]["entry_id"]
    assert home.entry(entry_id).data["host"] == "two"
    assert home.setups(entry_id) == 2


async def test_a_caller_who_has_seen_an_older_entry_is_told(home: Home) -> None:
    """Of what it planned, nothing is done."""
    entry = (await home.rotator())["entry"]
    home.set_refresh_token(entry["entry_id"], "renewed")
    expect = entry["modified_at"]
    for command in (
        home.rotator(data={"host": "192.0.2.2"}, expect=expect),
        home.command("remove", owner="tests", entry_id=entry["entry_id"], mode="delete", expect=expect),
    ):
        with pytest.raises(CommandError) as refused:
            await command
        assert refused.value.code == "stale"
    now = home.entry(entry["entry_id"])
    assert now.data["host"] == "192.0.2.1"
    assert (await home.rotator(data={"host": "h"}, expect=now.modified_at.isoformat()))["action"] == "updated"


async def test_removing_deletes_disables_or_forgets(home: Home) -> None:
    """And what is gone is gone: no error."""
    entries = {mode: (await home.rotator(name=mode))["entry"]["entry_id"] for mode in ("delete", "disable", "forget")}
    for mode, entry_id in entries.items():
        assert await home.command("remove", owner="tests", entry_id=entry_id, mode=mode) == {"removed": True}

    assert home.hass.config_entries.async_get_entry(entries["delete"]) is None
    assert home.entry(entries["disable"]).disabled_by is ConfigEntryDisabler.USER
    assert home.entry(entries["forget"]).state is ConfigEntryState.LOADED
    listed = (await home.command("list"))["entries"]
    assert [entry["entry_id"] for entry in listed] == [entries["disable"]]
    again = {"owner": "tests", "entry_id": entries["delete"], "mode": "delete"}
    assert await home.command("remove", **again) == {"removed": False}


async def test_two_that_remove_an_entry_at_once_both_succeed(home: Home, hass_ws_client: Any) -> None:
    """The one that had to wait finds it gone."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    sockets = [await hass_ws_client(home.hass) for _ in range(2)]
    remove = {"type": "nixos_integrations/remove", "owner": "tests", "entry_id": entry_id, "mode": "delete"}
    async with home.ownership.working["tests", "home"]:
        for socket in sockets:
            await socket.send_json_auto_id(remove)
        waiting = [asyncio.create_task(socket.receive_json()) for socket in sockets]
        await asyncio.sleep(0.05)
    answers = await asyncio.gather(*waiting)
    assert sorted(answer["result"]["removed"] for answer in answers) == [False, True]


async def test_an_entry_removed_by_hand_comes_back_as_declared(home: Home) -> None:
    """With the declared credential: nothing is known of the former entry."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    await home.hass.config_entries.async_remove(entry_id)
    assert (await home.command("list"))["entries"] == []
    answer = await home.rotator()
    assert (answer["action"], answer["entry"]["entry_id"]) == ("created", entry_id)
    assert home.refresh_token(entry_id) == "first"


async def test_an_entry_that_cannot_be_migrated_is_told_and_not_made_anew(home: Home) -> None:
    """Its version is newer than that of the integration."""
    hand = await home.by_hand(version=4)
    assert hand.state is ConfigEntryState.MIGRATION_ERROR
    for _ in range(2):
        answer = await home.rotator(entry_id=hand.entry_id, adopt=True)
        assert (answer["entry"]["state"], answer["entry"]["version"]) == ("migration_error", 4)
        assert answer["entry"]["handler"] == [3, 2]
    assert (await home.rotator(enabled=False))["entry"]["disabled_by"] == "user"
    assert await home.command("remove", owner="tests", entry_id=hand.entry_id, mode="delete") == {"removed": True}
