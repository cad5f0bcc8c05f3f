"""Write a folder, publish it whole, open it verified: on a disk or on an object store.

with store.writing("runs/7/train", meta={"seed": 3}) as draft:
    save(draft.folder / "model.safetensors")
row.artifact = draft.manifest.path, draft.manifest.sha256
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import fsspec

from services.shared import disk
from services.shared.artifacts.local import LocalFiles
from services.shared.artifacts.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    decode,
    describe_file,
    encode,
    verify_folder,
)
from services.shared.artifacts.paths import safe_path
from services.shared.artifacts.remote import RemoteFiles
from services.shared.canonical import Json
from services.shared.errors import ArtifactCorruptError, InvalidError

LEFTOVER_SECONDS = 24 * 3600.0


@dataclass
class Draft:
    """A folder being written; `meta` may be filled until the block ends."""

    folder: Path
    meta: dict[str, Json] = field(default_factory=dict)
    published: Manifest | None = None

    @property
    def manifest(self) -> Manifest:
        """Return the manifest; RuntimeError while the block is still open."""
        if self.published is None:
            raise RuntimeError("the folder is not published before its block has ended")
        return self.published


class ArtifactStore:
    """Folders under an fsspec URL; `file:///…` is a local disk, anything else an object store.

    `cache` is where copies from an object store lie; a local store needs none.
    """

    def __init__(self, url: str, *, cache: Path | None = None) -> None:
        fs, root = fsspec.core.url_to_fs(url)
        local = "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
        self._files: LocalFiles | RemoteFiles = (
            LocalFiles(Path(cast("str", root))) if local else RemoteFiles(fs, root, cache)
        )

    @contextmanager
    def writing(self, prefix: str, *, meta: Mapping[str, Json] | None = None) -> Iterator[Draft]:
        """Yield a draft; publish it when the block ends well, forget it when it raises.

        It lands in `<prefix>/<first 16 hex of the manifest's sha256>/`: the same content written
        twice is one folder, and a retry never touches another attempt's files. DiskFullError,
        with nothing left behind, when there is no room for it.
        """
        prefix = safe_path(prefix)
        with disk.named():
            draft = Draft(self._files.scratch(), dict(meta or {}))
        try:
            with disk.named(draft.folder):
                yield draft
                draft.published = self._publish(draft, prefix)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)

    def read_manifest(self, path: str, *, sha256: str | None = None) -> Manifest:
        """Return a manifest; ArtifactCorruptError when it is missing or not the pointed one."""
        if not safe_path(path).endswith(f"/{MANIFEST}"):
            raise InvalidError(f"{path!r} is no path of a manifest.")
        try:
            manifest = decode(path, self._files.read(path))
        except FileNotFoundError as error:
            raise ArtifactCorruptError(path, "is missing") from error
        if sha256 is not None and manifest.sha256 != sha256:
            raise ArtifactCorruptError(path, "does not match its sha256")
        return manifest

    def open(self, path: str, *, sha256: str | None = None) -> Path:
        """Return a local folder that holds exactly what the manifest at `path` says.

        Every file's hash is checked, also of a copy fetched before. Raises ArtifactCorruptError
        naming the file that is missing, cut short or altered.
        """
        manifest = self.read_manifest(path, sha256=sha256)
        if isinstance(self._files, LocalFiles):
            folder = self._files.folder(manifest.folder)
            verify_folder(folder, manifest)
            return folder
        return self._fetched(self._files, manifest)

    def delete(self, prefix: str) -> None:
        """Remove everything below a prefix; nothing there is no error."""
        self._files.delete(safe_path(prefix))

    def sweep(self, *, older_than_seconds: float = LEFTOVER_SECONDS) -> int:
        """Remove what crashed writers left behind; return how many folders."""
        return self._files.sweep(before=time.time() - older_than_seconds)

    def _publish(self, draft: Draft, prefix: str) -> Manifest:
        files = describe_folder(draft.folder)
        raw = encode(files, draft.meta)
        (draft.folder / MANIFEST).write_bytes(raw)
        token = decode(MANIFEST, raw).sha256[:16]
        manifest = decode(f"{prefix}/{token}/{MANIFEST}", raw)
        if self._stands(manifest) or self._files.publish(draft.folder, manifest.folder):
            return manifest
        if not self._stands(manifest):  # a damaged copy holds the place
            self._files.delete(manifest.folder)
            self._files.publish(draft.folder, manifest.folder)
        return manifest

    def _stands(self, manifest: Manifest) -> bool:
        """Say whether this very content is published already and sound: then leave it alone."""
        try:
            self.open(manifest.path, sha256=manifest.sha256)
        except ArtifactCorruptError:
            return False
        return True

    def _fetched(self, files: RemoteFiles, manifest: Manifest) -> Path:
        cached = files.cached(manifest.sha256)
        if cached.is_dir():
            try:
                verify_folder(cached, manifest)
            except ArtifactCorruptError:  # the copy went bad, the original may be good
                files.cache.delete(manifest.sha256)
            else:
                return cached
        return self._fetch(files, manifest)

    def _fetch(self, files: RemoteFiles, manifest: Manifest) -> Path:
        try:
            with disk.named():
                scratch = files.fetch(manifest.folder, manifest.files)
        except FileNotFoundError as error:
            raise ArtifactCorruptError(manifest.folder, "lacks a file of its manifest") from error
        verify_folder(scratch, manifest)
        files.cache.publish(scratch, manifest.sha256)
        return files.cached(manifest.sha256)


def describe_folder(folder: Path) -> dict[str, FileEntry]:
    """Return every file below a folder; raises InvalidError on links and odd names."""
    entries: dict[str, FileEntry] = {}
    for path in sorted(folder.rglob("*")):
        name = safe_path(path.relative_to(folder).as_posix())
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InvalidError(f"{name!r} is no plain file.")
        if path.is_file():
            entries[name] = describe_file(path)
    if MANIFEST in entries:
        raise InvalidError(f"{MANIFEST} is written by the store.")
    return entries
