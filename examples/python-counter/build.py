"""The build step: writes build-info.json, which every run then finds beside the code.

A real integration would install its dependencies here, into this folder. Nothing in the file
depends on the time or the machine, so the same code always gives the same release.
"""

import hashlib
import json
import platform
from pathlib import Path

FILES = {
    path.name: hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(Path("counter").glob("*.py"))
}

Path("build-info.json").write_text(
    json.dumps({"python": platform.python_version(), "files": FILES}, indent=2) + "\n",
    encoding="utf-8",
)
print(f"built {len(FILES)} files with python {platform.python_version()}")
