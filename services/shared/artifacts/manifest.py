"""The manifest of a folder: each file's size and SHA-256, what made it, and on which machine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from services.shared.artifacts.paths import safe_path
from services.shared.canonical import Json, canonical_json
from services.shared.errors import ArtifactCorruptError, InvalidError

MANIFEST = "manifest.json"
FORMAT = 1
_CHUNK = 1 << 20
_SIMD = ("sse4", "avx", "fma", "f16c", "amx", "bf16", "asimd", "sve")


@dataclass(frozen=True)
class FileEntry:
    """One file: bytes and SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A published folder.

    `path` is the manifest's own path in the store and `sha256` the hash of its bytes: the two
    together are the pointer that a database row keeps.
    """

    path: str
    files: Mapping[str, FileEntry]
    sha256: str
    meta: Mapping[str, Json]

    @property
    def folder(self) -> str:
        """Return the path of the folder in the store."""
        return self.path.removesuffix(f"/{MANIFEST}")


def encode(files: Mapping[str, FileEntry], meta: Mapping[str, Json]) -> bytes:
    """Return the manifest's bytes; equal content on an equal machine gives equal bytes."""
    entries: dict[str, Json] = {
        name: {"size": e.size, "sha256": e.sha256} for name, e in files.items()
    }
    body: dict[str, Json] = {
        "format": FORMAT,
        "files": entries,
        "meta": dict(meta),
        "cpu_flags": cpu_flags(),
    }
    return canonical_json(body)


def decode(path: str, raw: bytes) -> Manifest:
    """Return the manifest; raises ArtifactCorruptError when it is not one of ours."""
    try:
        body = json.loads(raw)
        if body["format"] != FORMAT:
            raise ArtifactCorruptError(path, f"format {body['format']} is not {FORMAT}")
        files = {
            safe_path(name): FileEntry(size=int(entry["size"]), sha256=str(entry["sha256"]))
            for name, entry in body["files"].items()
        }
        meta = dict(body["meta"])
    except (ValueError, KeyError, TypeError, AttributeError, InvalidError) as error:
        raise ArtifactCorruptError(path, "is no manifest") from error
    return Manifest(path, files, hashlib.sha256(raw).hexdigest(), meta)


def describe_file(path: Path) -> FileEntry:
    """Return a file's size and hash, read once, in pieces."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return FileEntry(size, digest.hexdigest())


def verify_folder(folder: Path, manifest: Manifest) -> None:
    """Raise ArtifactCorruptError that names the first file which is missing, cut or altered."""
    for name, wanted in manifest.files.items():
        path = folder / name
        label = f"{manifest.folder}/{name}"
        if not path.is_file():
            raise ArtifactCorruptError(label, "is missing")
        if (size := path.stat().st_size) != wanted.size:
            raise ArtifactCorruptError(label, f"has {size} bytes instead of {wanted.size}")
        if describe_file(path).sha256 != wanted.sha256:
            raise ArtifactCorruptError(label, "does not match its sha256")


@lru_cache(maxsize=1)
def cpu_flags() -> list[str]:
    """Return this machine's vector extensions: equal bytes are promised only where they agree."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    lines = [line for line in text.splitlines() if line.lower().startswith(("flags", "features"))]
    flags = lines[0].partition(":")[2].split() if lines else []
    return sorted(flag for flag in set(flags) if flag.startswith(_SIMD))
