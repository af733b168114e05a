"""Reads the credentials that systemd, or whoever mounts them, has put into a folder. One file holds one credential."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "CREDENTIALS_DIRECTORY"
LARGEST = 1024 * 1024

# Rights of those who are neither the owner nor in the group. A file from systemd is root's, 0440, and ours by an ACL.
OTHERS = 0o007


@dataclass(frozen=True)
class Credential:
    """One file: its content where it can be used, and what is wrong with it."""

    value: str | None = field(repr=False)
    problem: str | None = None


def read(names: Iterable[str]) -> dict[str, Credential]:
    """Read the named files, and no others."""
    if not (folder := os.environ.get(FOLDER)):
        return {name: Credential(None, f"`{name}`: the variable `{FOLDER}` is not set") for name in names}
    if not Path(folder).is_dir():
        return {name: Credential(None, f"`{name}`: there is no folder `{folder}`") for name in names}
    return {name: _read_file(Path(folder, name)) for name in names}


def _read_file(path: Path) -> Credential:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            content = file.read(LARGEST + 1) if stat.S_ISREG(status.st_mode) else None
    except OSError as err:
        return Credential(None, f"`{path}`: {err.strerror}")
    if content is None:
        return Credential(None, f"`{path}` is no file")
    if len(content) > LARGEST:
        return Credential(None, f"`{path}` has more than {LARGEST} bytes")
    try:
        value = content.decode().removesuffix("\n")
    except UnicodeDecodeError:
        return Credential(None, f"`{path}` is no text in UTF-8")
    if not value:
        return Credential(None, f"`{path}` is empty")
    return Credential(value, _exposure(path, status))


def _open_at_once(path: str, flags: int) -> int:
    """Open a file. A pipe would have us wait for its other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def _exposure(path: Path, status: os.stat_result) -> str | None:
    if status.st_mode & OTHERS:
        return f"`{path}` has mode {stat.S_IMODE(status.st_mode):04o}: every user of this machine has access"
    if status.st_uid not in (0, os.geteuid()):
        return f"`{path}` belongs to user {status.st_uid}, who is neither root nor the user of Home Assistant"
    return None
