#!/usr/bin/env bash
# What the tests run besides servers: readers of printed cards.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need cc gcc libc6-dev
need pdftoppm poppler-utils
need rsvg-convert librsvg2-bin
need zbarimg zbar-tools
# A farm's name in a script that the card's own font lacks is drawn in a font of the system.
[ -f /usr/share/fonts/truetype/wqy/wqy-microhei.ttc ] || install_packages fonts-wqy-microhei
