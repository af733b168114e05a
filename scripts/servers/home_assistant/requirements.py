"""requirements.py INTEGRATION...: what these integrations, and those that are always loaded, require; one a line.

Home Assistant's package does not bring it: Home Assistant installs it while it runs.
"""

import json
import sys
from pathlib import Path

import homeassistant
from homeassistant.bootstrap import CORE_INTEGRATIONS, DEFAULT_INTEGRATIONS

COMPONENTS = Path(homeassistant.__file__).parent / "components"


def closure(domains: set[str]) -> set[str]:
    requirements: set[str] = set()
    seen: set[str] = set()
    while todo := domains - seen:
        domain = todo.pop()
        seen.add(domain)
        manifest = json.loads((COMPONENTS / domain / "manifest.json").read_text())
        domains |= set(manifest.get("dependencies", []))
        requirements |= set(manifest.get("requirements", []))
    return requirements


print("\n".join(sorted(closure({*CORE_INTEGRATIONS, *DEFAULT_INTEGRATIONS, *sys.argv[1:]}))))
