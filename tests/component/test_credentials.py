"""The folder of the credentials (HA-2, HA-9)."""

import os
from pathlib import Path

import pytest

from custom_components.nixos_integrations.credentials import LARGEST, Credential, read


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder as systemd makes it: 0550, with files of mode 0440."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def put(folder: Path, content: bytes, mode: int = 0o440) -> Path:
    """Write the file of a credential."""
    path = folder / "tado.refreshToken"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def read_one() -> Credential:
    """Read it."""
    return read(["tado.refreshToken"])["tado.refreshToken"]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"token", "token"),
        (b"token\n", "token"),
        (b"token\n\n", "token\n"),
        (b" token \n", " token "),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_one_trailing_newline_is_no_part_of_a_credential(folder: Path, content: bytes, value: str) -> None:
    """Editors and `echo` add it."""
    put(folder, content)
    folder.chmod(0o550)
    assert read_one() == Credential(value)


def test_a_mounted_link_is_followed(folder: Path, tmp_path: Path) -> None:
    """Kubernetes mounts secrets as links into a folder beside them."""
    (folder / "..data").mkdir()
    put(folder / "..data", b"token")
    (folder / "tado.refreshToken").symlink_to("..data/tado.refreshToken")
    assert read_one() == Credential("token")


def test_the_rights_are_those_of_what_a_link_leads_to(folder: Path) -> None:
    """A link itself is open to everybody."""
    (folder / "..data").mkdir()
    put(folder / "..data", b"token", 0o444)
    (folder / "tado.refreshToken").symlink_to("..data/tado.refreshToken")
    assert "0444" in (read_one().problem or "")


def test_without_the_variable_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """HA-9."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert read_one() == Credential(None, "`tado.refreshToken`: the variable `CREDENTIALS_DIRECTORY` is not set")


def test_without_the_folder_it_is_named(folder: Path) -> None:
    """HA-9."""
    folder.rmdir()
    assert read_one() == Credential(None, f"`tado.refreshToken`: there is no folder `{folder}`")


def test_a_missing_file_is_named(folder: Path) -> None:
    """HA-9."""
    assert read_one() == Credential(None, f"`{folder}/tado.refreshToken`: No such file or directory")


def test_a_file_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HA-9. (The tests may be run by root, who may read all.)"""

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    put(folder, b"token")
    monkeypatch.setattr(os, "open", refuse)
    assert read_one() == Credential(None, f"`{folder}/tado.refreshToken`: Permission denied")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is no text in UTF-8"),
        (b"x" * (LARGEST + 1), f"has more than {LARGEST} bytes"),
    ],
)
def test_what_can_be_no_credential_is_not_used(folder: Path, content: bytes, problem: str) -> None:
    """Written into an entry, it would destroy the token that is there."""
    put(folder, content)
    assert read_one() == Credential(None, f"`{folder}/tado.refreshToken` {problem}")


def test_the_largest_credential_is_used(folder: Path) -> None:
    """As large as systemd takes them."""
    put(folder, b"x" * LARGEST)
    assert read_one() == Credential("x" * LARGEST)


def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    """A pipe, or a folder."""
    os.mkfifo(folder / "tado.refreshToken")
    assert read_one() == Credential(None, f"`{folder}/tado.refreshToken` is no file")
    (folder / "tado.refreshToken").unlink()
    (folder / "tado.refreshToken").mkdir()
    assert read_one() == Credential(None, f"`{folder}/tado.refreshToken`: Is a directory")


@pytest.mark.parametrize("mode", [0o444, 0o442, 0o441])
def test_a_file_that_is_open_to_others_is_used_and_told(folder: Path, mode: int) -> None:
    """HA-9."""
    put(folder, b"token", mode)
    problem = f"`{folder}/tado.refreshToken` has mode {mode:04o}: every user of this machine has access"
    assert read_one() == Credential("token", problem)


def test_a_file_of_somebody_else_is_used_and_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HA-9. Root's, and our own, are in order."""
    path = put(folder, b"token")
    if os.geteuid() == 0:
        assert read_one() == Credential("token")
        os.chown(path, 1234, -1)
        user = 1234
    else:
        user = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    problem = f"`{path}` belongs to user {user}, who is neither root nor the user of Home Assistant"
    assert read_one() == Credential("token", problem)


def test_only_the_named_files_are_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HA-7: what else is in the folder is not ours."""
    put(folder, b"token")
    (folder / "other").write_bytes(b"other")
    opened = []
    open_file = os.open

    def spy(path: str, flags: int) -> int:
        opened.append(path)
        return open_file(path, flags)

    monkeypatch.setattr(os, "open", spy)
    assert list(read(["tado.refreshToken"])) == ["tado.refreshToken"]
    assert opened == [str(folder / "tado.refreshToken")]


def test_a_credential_is_not_in_what_is_printed_of_it() -> None:
    """Nor in the log of an error."""
    assert "token" not in repr(Credential("token"))
