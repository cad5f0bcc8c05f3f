"""A store behind fsspec: objects have no rename, so the manifest is written last.

A folder without a manifest is not there. Readers fetch into a cache folder named by the
manifest's hash; the fetched copy becomes visible by a local rename.
"""

import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from fsspec import AbstractFileSystem

from services.shared.artifacts.local import LocalFiles
from services.shared.artifacts.manifest import MANIFEST


class RemoteFiles:
    """Objects below one root of an fsspec file system, with a local cache."""

    def __init__(self, fs: AbstractFileSystem, root: str, cache: Path | None) -> None:
        self.fs = fs
        self.root = root.rstrip("/")
        self.cache = LocalFiles(cache or Path(tempfile.gettempdir()) / "winnow-artifacts")

    def scratch(self) -> Path:
        """Return a new empty local folder."""
        return self.cache.scratch()

    def read(self, path: str) -> bytes:
        """Return a small object's bytes; raises FileNotFoundError."""
        return bytes(self.fs.cat_file(self._at(path)))

    def publish(self, scratch: Path, path: str) -> bool:
        """Upload a complete folder, its manifest last; True, since objects can be overwritten."""
        files = sorted(f for f in scratch.rglob("*") if f.is_file())
        for file in sorted(files, key=lambda file: file == scratch / MANIFEST):
            self.fs.put_file(str(file), self._at(f"{path}/{file.relative_to(scratch)}"))
        return True

    def cached(self, sha256: str) -> Path:
        """Return where the fetched copy of a manifest's folder lies, if it does."""
        return self.cache.folder(sha256)

    def fetch(self, path: str, names: Iterable[str]) -> Path:
        """Return a scratch folder with these objects of a folder in it."""
        folder = self.scratch()
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self.fs.get_file(self._at(f"{path}/{name}"), str(folder / name))
        return folder

    def delete(self, path: str) -> None:
        """Remove all objects below a path, manifests first: a folder without one is gone."""
        found = self._find(path)
        for name in sorted(found, key=lambda name: not name.endswith(f"/{MANIFEST}")):
            self.fs.rm_file(name)

    def sweep(self, *, before: float) -> int:
        """Remove uploads that never got their manifest and are older; return how many folders."""
        count = self.cache.sweep(before=before)
        for folder, names in self._unfinished().items():
            if all(_unix(self.fs.modified(name)) < before for name in names):
                count += 1
                self.delete(folder)
        return count

    def _unfinished(self) -> dict[str, list[str]]:
        names = self._find("")
        done = {name.removesuffix(MANIFEST) for name in names if name.endswith(f"/{MANIFEST}")}
        orphans: dict[str, list[str]] = {}
        for name in names:
            if not any(name.startswith(folder) for folder in done):
                folder = name.removeprefix(f"{self.root}/").rpartition("/")[0]
                orphans.setdefault(folder, []).append(name)
        return orphans

    def _find(self, path: str) -> list[str]:
        return [str(name) for name in self.fs.find(self._at(path))]

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}".rstrip("/")


def _unix(moment: datetime) -> float:
    return moment.timestamp()
