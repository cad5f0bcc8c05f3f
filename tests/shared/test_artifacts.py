"""The artefact store shows whole, proven folders and nothing else."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from services.shared.artifacts import ArtifactStore, Manifest
from services.shared.errors import ArtifactCorruptError, InvalidError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{root}")


@pytest.fixture(params=["file", "memory"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """The same promises on a disk and on something without rename."""
    if request.param == "file":
        return ArtifactStore(f"file://{tmp_path}/store")
    return ArtifactStore(f"memory://{tmp_path.name}", cache=tmp_path / "cache")


def put(store: ArtifactStore, prefix: str = "runs/7/train", word: bytes = b"abc") -> Manifest:
    with store.writing(prefix, meta={"seed": 3}) as draft:
        (draft.folder / "model.bin").write_bytes(word)
        (draft.folder / "lists").mkdir()
        (draft.folder / "lists" / "top.bin").write_bytes(b"")
    return draft.manifest


def visible(root: Path) -> list[str]:
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in files if not name.startswith(".tmp/"))


def test_a_published_folder_opens_with_its_files_hashes_and_meta(
    any_store: ArtifactStore,
) -> None:
    manifest = put(any_store)
    folder = any_store.open(manifest.path, sha256=manifest.sha256)
    assert (folder / "model.bin").read_bytes() == b"abc"
    assert (folder / "lists" / "top.bin").read_bytes() == b""
    # FIPS 180-2, appendix B.1: the SHA-256 of "abc"
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert manifest.files["model.bin"].sha256 == known
    assert manifest.files["model.bin"].size == 3
    assert any_store.read_manifest(manifest.path) == manifest
    assert manifest.meta == {"seed": 3}


def test_the_pointer_is_the_hash_of_the_manifest_bytes(store: ArtifactStore, root: Path) -> None:
    manifest = put(store)
    raw = (root / manifest.path).read_bytes()
    assert manifest.sha256 == hashlib.sha256(raw).hexdigest()
    assert manifest.path == f"runs/7/train/{manifest.sha256[:16]}/manifest.json"


def test_nothing_is_visible_before_the_block_ends_and_nothing_after_an_error(
    store: ArtifactStore, root: Path
) -> None:
    drafts = []

    def write_half() -> None:
        with store.writing("runs/7/train") as draft:
            drafts.append(draft)
            (draft.folder / "half").write_bytes(b"x" * 100)
            assert visible(root) == []
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert visible(root) == []
    assert list((root / ".tmp").iterdir()) == []
    with pytest.raises(RuntimeError):
        _ = drafts[0].manifest


def test_the_same_content_written_twice_is_one_folder_that_was_not_touched(
    store: ArtifactStore, root: Path
) -> None:
    first = put(store)
    inode = (root / first.folder / "model.bin").stat().st_ino
    assert put(store) == first
    assert (root / first.folder / "model.bin").stat().st_ino == inode
    assert len(visible(root)) == 3


def test_other_content_lands_beside_the_first(any_store: ArtifactStore) -> None:
    first, second = put(any_store), put(any_store, word=b"abd")
    assert (any_store.open(first.path) / "model.bin").read_bytes() == b"abc"
    assert (any_store.open(second.path) / "model.bin").read_bytes() == b"abd"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(b"abX"), "sha256"),
        (lambda path: path.write_bytes(b"ab"), "2 bytes instead of 3"),
        (lambda path: path.unlink(), "missing"),
    ],
)
def test_a_damaged_file_is_named_and_writing_again_heals_it(
    store: ArtifactStore, root: Path, damage: Callable[[Path], None], reason: str
) -> None:
    manifest = put(store)
    damage(root / manifest.folder / "model.bin")
    with pytest.raises(ArtifactCorruptError, match=reason) as caught:
        store.open(manifest.path)
    assert caught.value.file == f"{manifest.folder}/model.bin"
    put(store)
    assert (store.open(manifest.path) / "model.bin").read_bytes() == b"abc"


def test_a_damaged_cached_copy_is_fetched_again(tmp_path: Path) -> None:
    store = ArtifactStore(f"memory://{tmp_path.name}", cache=tmp_path / "cache")
    manifest = put(store)
    copy = store.open(manifest.path)
    (copy / "model.bin").write_bytes(b"bad")
    assert (store.open(manifest.path) / "model.bin").read_bytes() == b"abc"


def test_another_manifest_than_the_pointed_one_is_refused(store: ArtifactStore, root: Path) -> None:
    manifest = put(store)
    path = root / manifest.path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArtifactCorruptError, match="sha256"):
        store.open(manifest.path, sha256=manifest.sha256)
    path.write_bytes(b"[]")
    with pytest.raises(ArtifactCorruptError, match="no manifest"):
        store.open(manifest.path)


def test_a_manifest_cannot_name_a_file_outside_its_folder(store: ArtifactStore, root: Path) -> None:
    path = root / "runs" / "evil" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        '{"format":1,"files":{"../../secret":{"size":0,"sha256":""}},"meta":{},"cpu_flags":[]}'
    )
    with pytest.raises(ArtifactCorruptError, match="no manifest"):
        store.open("runs/evil/manifest.json")


@pytest.mark.parametrize(
    "prefix", ["../x", "a/../b", "/etc", "a//b", "", ".tmp/x", "a\\b", "a/b\n", "a/b\x00"]
)
def test_a_path_out_of_the_store_is_refused(store: ArtifactStore, prefix: str) -> None:
    with pytest.raises(InvalidError), store.writing(prefix):
        pass
    with pytest.raises(InvalidError):
        store.delete(prefix)


def test_a_link_in_a_draft_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="plain file"), store.writing("runs/1") as draft:
        (draft.folder / "link").symlink_to(tmp_path)


def test_deleting_a_prefix_takes_all_below_it_and_no_neighbour(any_store: ArtifactStore) -> None:
    gone, kept = put(any_store, "runs/7/train"), put(any_store, "runs/70/train")
    any_store.delete("runs/7")
    with pytest.raises(ArtifactCorruptError, match="missing"):
        any_store.open(gone.path)
    assert (any_store.open(kept.path) / "model.bin").read_bytes() == b"abc"
    any_store.delete("runs/7")


def test_the_sweep_takes_old_leftovers_and_leaves_a_write_in_progress(
    store: ArtifactStore, root: Path
) -> None:
    old = root / ".tmp" / "crashed"
    old.mkdir(parents=True)
    (old / "half").write_bytes(b"x")
    day_ago = time.time() - 90_000
    os.utime(old / "half", (day_ago, day_ago))
    os.utime(old, (day_ago, day_ago))
    published = put(store)
    with store.writing("runs/8") as draft:
        (draft.folder / "a").write_bytes(b"x")
        os.utime(draft.folder, (day_ago, day_ago))  # a day of writing into one file
        assert store.sweep() == 1
    assert not old.exists()
    store.open(draft.manifest.path)
    store.open(published.path)


class DyingFiles(MemoryFileSystem):
    """An object store whose connection is lost at an upload."""

    uploads_left = 0
    cachable = False

    def put_file(self, lpath: str, rpath: str, **kwargs: object) -> None:
        if self.uploads_left == 0:
            raise ConnectionError("lost")
        self.uploads_left -= 1
        super().put_file(lpath, rpath, **kwargs)


@pytest.mark.parametrize("uploads", [0, 1, 2])
def test_an_upload_cut_off_at_any_file_shows_nothing(tmp_path: Path, uploads: int) -> None:
    store = ArtifactStore(f"memory://{tmp_path.name}", cache=tmp_path / "cache")
    files = store._files
    files.fs = DyingFiles()
    files.fs.uploads_left = uploads  # of three: two files and the manifest
    with pytest.raises(ConnectionError):
        put(store)
    names = files._find("runs/7")
    assert len(names) == uploads
    assert not any(name.endswith("manifest.json") for name in names)


def test_an_upload_without_its_manifest_is_invisible_and_swept(tmp_path: Path) -> None:
    store = ArtifactStore(f"memory://{tmp_path.name}", cache=tmp_path / "cache")
    manifest = put(store)
    remote = store._files
    (tmp_path / "x").write_bytes(b"x")
    remote.fs.put_file(str(tmp_path / "x"), remote._at("runs/9/train/feed/model.bin"))
    with pytest.raises(ArtifactCorruptError, match="missing"):
        store.open("runs/9/train/feed/manifest.json")
    assert store.sweep() == 0
    assert store.sweep(older_than_seconds=-5) == 1
    assert remote._find("runs/9") == []
    store.open(manifest.path)


def test_rivals_with_equal_content_both_succeed(store: ArtifactStore) -> None:
    results: list[Manifest] = []
    threads = [threading.Thread(target=lambda: results.append(put(store))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len({manifest.path for manifest in results}) == 1
    store.open(results[0].path)
