"""Ships the project's content folders inside the wheel, below fonds/_project (docs/decisions/0001)."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONTENT = (
    "flows",
    "rules",
    "matchers",
    "reports",
    "notebooks",
    "data_samples",
    "prefect.yaml",
    "prefect.toml",
)


class ShipContent(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # a checkout reads its own folders; a copy would go stale
            return
        root = Path(self.root)
        for name in CONTENT:
            if (root / name).exists():
                build_data["force_include"][str(root / name)] = f"fonds/_project/{name}"
