"""Documents as a person deals with them: brought, read (in the background when they are many), made into pairs."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.catalog.recipes import RECIPE
from studio.data.documents import MAX_FILES, Library, effort_s, read_documents
from studio.data.pairs import PairConfig, Pairs, make_pairs, pairs_by_recipe, save_pairs
from studio.errors import DataError, HostError
from studio.files import read_json, write_json
from studio.making.documents import files_in, load_library
from studio.recent import Recent
from studio.runs.accounts import check_may_start
from studio.runs.datasets import Datasets
from studio.runs.makings import Makings
from studio.runs.names import display_name
from studio.runs.records import DatasetRecord, MakingRecord, UploadRecord
from studio.runs.store import UPLOADS, Store, new_id
from studio.runs.workspace import Workspace, link_or_copy, remove

INSTANT_S = 4.0
"""What takes longer to read goes to the background."""
INSTANT_WORDS = 400_000
"""Of larger sets the page shows pairs of some of the documents, and the dataset is made in the background."""
KEPT = 4
"""Libraries, and pairs of all recipes, that are kept in memory."""
FOLDER = "documents"
MAX_NAME = 300


@dataclass(frozen=True)
class Preview:
    pairs: Pairs
    counts: dict[str, int]
    """Pairs that each recipe would give alone, whether it was chosen or not."""
    looked_at: int
    """Documents that the pairs are from: all of them, or enough to show what comes out."""
    documents: int

    def about(self, number: int) -> int:
        """``number`` of the pairs looked at, for all documents."""
        return round(number * self.documents / max(self.looked_at, 1))


class Documents:
    def __init__(self, store: Store, workspace: Workspace, datasets: Datasets, makings: Makings, *, max_upload_mb: int):
        self._store = store
        self._workspace = workspace
        self._datasets = datasets
        self._makings = makings
        self._max_upload_mb = max_upload_mb
        self._libraries: Recent[str, Library] = Recent(KEPT)
        self._made: Recent[tuple[str, PairConfig], Pairs] = Recent(KEPT)

    def stage(self, owner: str, files: Sequence[tuple[Path, str]]) -> UploadRecord:
        """Take in files (path, name for people). Those given stay, except what lies in the workspace's tmp: that is moved.

        Raises:
            DataError: none, too many or too large.
            HostError: the disk is too full.
        """
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        if not files:
            raise DataError("There are no documents.", hint="Choose at least one file.")
        if len(files) > MAX_FILES:
            raise DataError(
                f"These are {len(files):,} files; at most {MAX_FILES:,} are read at a time.", hint="Bring fewer."
            )
        if not all(self._workspace.may_come_in(path) for path, _ in files):
            raise DataError("There is no such file.", hint="Upload it again.")
        size_mb = sum(path.stat().st_size for path, _ in files) / 1e6
        if size_mb > self._max_upload_mb:
            raise DataError(
                f"The files have {size_mb:,.0f} MB; at most {self._max_upload_mb:,} MB can be uploaded.",
                hint="Bring them in parts. Whoever hosts the studio can raise the limit (STUDIO_MAX_UPLOAD_MB).",
            )
        self._workspace.check_room(size_mb, "these documents")
        id = new_id()
        folder = self._workspace.uploads / id / FOLDER
        try:
            folder.mkdir(parents=True)
            for number, (path, _) in enumerate(files):
                ours = path.resolve().is_relative_to(self._workspace.tmp.resolve())
                (shutil.move if ours else shutil.copyfile)(path, folder / f"{number:05}")
            write_json(folder / "names.json", [display_name(name, "document")[:MAX_NAME] for _, name in files])
        except OSError as error:
            remove(folder.parent)
            raise HostError(f"The files could not be stored: {error.strerror}.") from error
        self._store.add(UPLOADS, id=id, owner=owner, file_name=FOLDER, created=time.time())
        return self._datasets.upload(owner, id)

    def read(self, owner: str, upload_id: str) -> Library | MakingRecord:
        """What the documents hold; while many are being read in the background, how far that is.

        Raises:
            DataError: none can be read, or reading was stopped; then the next call begins anew.
        """
        folder = self._folder(owner, upload_id)
        kept, asked = folder.parent / "library.json", folder.parent / "making.json"
        if not kept.exists():
            files = files_in(folder)
            making_id = read_json(asked, "")
            if not making_id and effort_s(files) <= INSTANT_S:
                library = read_documents(files)
                write_json(kept, library.to_json())
                return self._libraries.get(upload_id, lambda: library)
            if not making_id:
                making = self._makings.create(owner, "documents", "Documents", {}, files={FOLDER: folder})
                write_json(asked, making.id)
                return making
            making = self._makings.get(owner, making_id)
            if not making.is_over:
                return making
            asked.unlink()
            if making.state != "succeeded":
                raise DataError(making.message, hint=making.hint)
            link_or_copy(making.folder / "library.json", kept)
            self._makings.delete(owner, making.id)
        return self._libraries.get(upload_id, lambda: load_library(kept))

    def preview(self, owner: str, upload_id: str, recipes: Sequence[str], config: PairConfig) -> Preview:
        """The pairs that ``recipes`` (none, too) give; of a large set, those of some documents from all through it."""
        library = self.library(owner, upload_id)
        total = len(library.documents)
        part = library
        if library.words > INSTANT_WORDS:
            step = -(-library.words // INSTANT_WORDS)
            part = Library(library.documents[::step])
        made = self._made.get((upload_id, config), lambda: pairs_by_recipe(part, tuple(RECIPE), config))
        return Preview(made.of(recipes), made.counts, len(part.documents), total)

    def all_pairs(self, owner: str, upload_id: str, recipes: Sequence[str], config: PairConfig) -> Pairs:
        """For a download: of every document, however long it takes."""
        return make_pairs(self.library(owner, upload_id), recipes, config)

    def create(
        self, owner: str, upload_id: str, recipes: Sequence[str], config: PairConfig, name: str
    ) -> DatasetRecord | MakingRecord:
        """A dataset of the pairs; of a large set the making that makes it.

        Raises:
            DataError: no pairs, or too few to train on.
        """
        from studio.training.estimate import row_lengths

        library = self.library(owner, upload_id)
        name = display_name(name, "Documents")
        if library.words > INSTANT_WORDS:
            task = {"recipes": list(recipes), "config": asdict(config)}
            kept = self._folder(owner, upload_id).parent / "library.json"
            return self._makings.create(owner, "pairs", name, task, files={"library.json": kept})
        pairs = make_pairs(library, recipes, config)
        return self._datasets.add(
            owner,
            name,
            pairs.data.nbytes / 1e6,
            lambda folder: save_pairs(folder, pairs, library, config, name, row_lengths),
        )

    def library(self, owner: str, upload_id: str) -> Library:
        """The documents once they have been read. Raises DataError: not yet."""
        found = self.read(owner, upload_id)
        if isinstance(found, MakingRecord):
            raise DataError("The documents are still being read.", hint="Wait until that is done.")
        return found

    def _folder(self, owner: str, upload_id: str) -> Path:
        upload = self._datasets.upload(owner, upload_id)
        if upload.file_name != FOLDER:
            raise DataError("This is a table, not documents.", hint="Bring documents first.")
        return upload.path
