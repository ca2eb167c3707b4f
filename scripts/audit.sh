#!/bin/sh
# Known vulnerabilities of what is installed. Where the database of them cannot be reached, that is said, and nothing fails.
out=$(mktemp)
trap 'rm -f "$out"' EXIT
if timeout 240 .venv/bin/python -m pip_audit --progress-spinner off --skip-editable --format json --output "$out" >"$out.log" 2>&1; then
    status=0
else
    status=$?
fi
.venv/bin/python - "$out" "$out.log" "$status" <<'PYTHON'
import json, sys
from pathlib import Path

out, log, status = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
try:
    packages = json.loads(out.read_text())["dependencies"]
except (ValueError, KeyError):
    last = (log.read_text().strip().splitlines() or [f"it ended with {status}"])[-1]
    print(f"pip-audit: nothing was audited here: {last}")
    sys.exit(0)
looked = [each for each in packages if "vulns" in each]
found = [(each, one) for each in looked for one in each["vulns"]]
for each, one in found:
    fixed = ", ".join(one["fix_versions"]) or "no version yet"
    print(f"pip-audit: {each['name']} {each['version']}: {one['id']}, mended in {fixed}")
skipped = len(packages) - len(looked)
if not looked:
    print("pip-audit: nothing was audited here: the database knows none of the packages, or cannot be reached")
else:
    print(f"pip-audit: {len(looked)} packages, {len(found)} known vulnerabilities" + (f"; {skipped} not known to it" if skipped else ""))
sys.exit(bool(found))
PYTHON
status=$?
rm -f "$out.log"
exit $status
