"""The artefact store: folders of files that appear whole, with a manifest that proves them."""

from services.shared.artifacts.manifest import MANIFEST, FileEntry, Manifest
from services.shared.artifacts.store import ArtifactStore, Draft

__all__ = ["MANIFEST", "ArtifactStore", "Draft", "FileEntry", "Manifest"]
