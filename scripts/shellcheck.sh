#!/usr/bin/env bash
# Checks every shell script of the repository.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need shellcheck shellcheck
cd "$root"
shellcheck --external-sources --source-path=. .ci/run scripts/*.sh scripts/servers/*.sh scripts/servers/*/*.sh
