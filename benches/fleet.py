#!/usr/bin/env python3
"""Measures provisor on a real Keycloak with a fleet of devices, beside the bare requests and the bare parse.

Every figure is of a whole process, by the operating system's own accounting. The floor (benches/floor.rs) runs in the
same minute on the same server; what counts is the ratio. Needs PROVISOR_TEST_KEYCLOAK (make bench starts one).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from typing import Any

SECRET = "bench-client-secret-0123456789abcdef"


@dataclasses.dataclass
class Run:
    """One finished process."""

    wall: float
    cpu: float
    peak_mib: float
    out: str
    err: str

    def span(self, name: str) -> float:
        """The seconds that `-v` reports for a part of the run."""
        found = re.search(rf"^{name}: ([0-9.]+) s$", self.err, re.MULTILINE)
        if not found:
            sys.exit(f"`-v` does not report `{name}`:\n{self.err[-500:]}")
        return float(found.group(1))


def measure(command: list[str], expect: tuple[int, ...] = (0,)) -> Run:
    """Runs a command to its end and takes the kernel's account of it."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        code = os.waitstatus_to_exitcode(status)
        process.returncode = code
        out.seek(0)
        err.seek(0)
        if code not in expect:
            sys.exit(f"{' '.join(command[:2])} ended with {code}:\n{err.read()[-2000:]}")
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read(), err.read())


class Admin:
    """Keycloak's administrator, to make and remove the realm of the bench."""

    def __init__(self, url: str) -> None:
        self.url = url
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
        data = urllib.parse.urlencode(form).encode()
        token_url = f"{url}/realms/master/protocol/openid-connect/token"
        with urllib.request.urlopen(token_url, data, timeout=60) as answer:
            self.token = json.load(answer)["access_token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the answer as JSON, if there is any."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/admin/realms{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def make_realm(self, realm: str) -> None:
        """A realm with a service account that manages clients, the role and the scope of devices."""
        self.call("POST", "", {"realm": realm, "enabled": True})
        client = {"clientId": "provisor", "secret": SECRET, "serviceAccountsEnabled": True, "publicClient": False}
        self.call("POST", f"/{realm}/clients", client)
        client_id = self.call("GET", f"/{realm}/clients?clientId=provisor")[0]["id"]
        account = self.call("GET", f"/{realm}/clients/{client_id}/service-account-user")["id"]
        management = self.call("GET", f"/{realm}/clients?clientId=realm-management")[0]["id"]
        roles = [
            self.call("GET", f"/{realm}/clients/{management}/roles/{role}") for role in ("manage-clients", "view-realm")
        ]
        self.call("POST", f"/{realm}/users/{account}/role-mappings/clients/{management}", roles)
        self.call("POST", f"/{realm}/roles", {"name": "device"})
        mappers = [
            {
                "name": "device-role",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-hardcoded-role-mapper",
                "config": {"role": "device"},
            },
            {
                "name": "aud",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "mqtt", "access.token.claim": "true"},
            },
        ]
        scope = {"name": "iot-device", "protocol": "openid-connect", "protocolMappers": mappers}
        self.call("POST", f"/{realm}/client-scopes", scope)


def manifest(folder: pathlib.Path, url: str, realm: str, count: int, changed: int = 0) -> pathlib.Path:
    """A file with the realm and `count` devices, the first `changed` of them with another name."""
    head = {
        "apiVersion": "provisor.dev/v1alpha1",
        "kind": "KeycloakRealm",
        "metadata": {"name": "fleet"},
        "spec": {"url": url, "realm": realm, "clientId": "provisor", "clientSecret": {"credential": "client"}},
    }
    documents = [json.dumps(head)]
    for number in range(count):
        name = f"Device {number}" + (", moved" if number < changed else "")
        documents.append(device(number, name))
    path = folder / f"fleet-{changed}.yaml"
    path.write_text("---\n".join(document + "\n" for document in documents))
    return path


def device(number: int, name: str) -> str:
    """One device's document as people write it."""
    return (
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata:\n"
        f"  name: iot-{number:05}\nspec:\n  displayName: {name}\n  macAddress: a4:cf:12:00:{number // 256 % 256:02x}:"
        f"{number % 256:02x}\n  audience: mqtt\n  tokenLifespan: 4h\n  secret: {{credential: iot-{number:05}}}"
    )


def line(label: str, ours: list[Run], floor: list[float], limit: float | None) -> bool:
    """Prints one comparison; whether it holds."""
    wall, base = statistics.median(run.wall for run in ours), statistics.median(floor)
    ratio = wall / base
    verdict = "" if limit is None else f"  limit {limit:.1f}x {'ok' if ratio <= limit else 'MISSED'}"
    peak = max(run.peak_mib for run in ours)
    cpu = statistics.median(run.cpu for run in ours)
    print(
        f"{label:<34} {wall:7.3f} s  floor {base:7.3f} s  {ratio:5.2f}x  cpu {cpu:5.2f} s  peak {peak:5.1f} MiB{verdict}"
    )
    return limit is None or ratio <= limit


def bench_offline(provisor: str, floor: str, folder: pathlib.Path) -> bool:
    """Loading 10,000 documents, and the help."""
    path = manifest(folder, "http://127.0.0.1:9", "none", 10_000)
    parse_only = folder / "devices.yaml"
    parse_only.write_text("---\n".join(device(number, f"Device {number}") + "\n" for number in range(10_000)))
    ours = [measure([provisor, "validate", "-f", str(path)]) for _ in range(5)]
    bare = [measure([floor, "parse", str(parse_only)]).wall for _ in range(5)]
    held = line("validate 10,000 documents", ours, bare, 3.0)
    helps = [measure([provisor, "--help"]) for _ in range(11)]
    median = statistics.median(run.wall for run in helps) * 1000
    print(f"{'provisor --help':<34} {median:7.1f} ms  limit 20 ms {'ok' if median <= 20 else 'MISSED'}")
    return held and median <= 20


def bench_fleet(provisor: str, floor: str, folder: pathlib.Path, url: str, count: int) -> bool:
    """Create, unchanged plan and a change of ten, on the real server."""
    admin = Admin(url)
    realm = f"bench-{os.getpid()}"
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    for name, value in [("client", SECRET)] + [
        (f"iot-{n:05}", f"secret-of-device-{n:05}-0123456789") for n in range(count)
    ]:
        path = credentials / name
        path.write_text(value)
        path.chmod(0o600)
    common = ["--credentials-dir", str(credentials)]
    admin.make_realm(realm)
    try:
        measure([floor, "create", url, realm, SECRET, "warm", "50", "8"])
        fleet = manifest(folder, url, realm, count)
        bare_create = measure([floor, "create", url, realm, SECRET, "bare", str(count), "8"])
        # The bare clients would be in the way of a fair list: the fleet gets a realm of its own.
        Admin(url).call("DELETE", f"/{realm}")
        admin = Admin(url)
        admin.make_realm(realm)
        measure([floor, "create", url, realm, SECRET, "warm", "50", "8"])
        create = measure([provisor, "apply", "--yes", "-v", "-f", str(fleet), *common])
        verify = create.span("read back and verify")
        made = dataclasses.replace(create, wall=create.wall - verify)
        held = line(f"apply {count} new devices", [made], [bare_create.wall], 1.2)
        print(f"{'the one verifying list, apart':<34} {verify:7.3f} s")
        plan = [provisor, "plan", "--detailed-exitcode", "-f", str(fleet), *common]
        list_floor = [floor, "list", url, realm, SECRET]
        parse_file = folder / "fleet-only.yaml"
        parse_file.write_text("---\n".join(device(number, f"Device {number}") + "\n" for number in range(count)))
        measure(list_floor)
        measure(plan)
        ours, bare = [], []
        for _ in range(7):
            bare.append(measure(list_floor).wall + measure([floor, "parse", str(parse_file)]).wall)
            ours.append(measure(plan))
        held &= line(f"plan of {count} unchanged devices", ours, bare, 1.5)
        peak = max(run.peak_mib for run in ours)
        print(f"{'peak memory of that plan':<34} {peak:7.1f} MiB  limit 64 MiB {'ok' if peak <= 64 else 'MISSED'}")
        changed = manifest(folder, url, realm, count, changed=10)
        ten = measure([provisor, "apply", "--yes", "-o", "json", "-f", str(changed), *common])
        applied = sum(change["outcome"] == "applied" for change in json.loads(ten.out)["changes"])
        print(f"{'change 10 of ' + str(count):<34} {ten.wall:7.3f} s  applied {applied}")
        return held and peak <= 64 and applied == 10
    finally:
        Admin(url).call("DELETE", f"/{realm}")


def main() -> int:
    """Runs every bench; fails where a ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provisor", default="target/release/provisor")
    parser.add_argument("--floor", required=True, help="the built benches/floor.rs")
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        held = bench_offline(arguments.provisor, arguments.floor, folder)
        url = os.environ.get("PROVISOR_TEST_KEYCLOAK")
        if not url:
            print("PROVISOR_TEST_KEYCLOAK is not set: the fleet was not measured", file=sys.stderr)
            return 1
        held &= bench_fleet(arguments.provisor, arguments.floor, folder, url, arguments.count)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
