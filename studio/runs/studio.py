"""The server's heart, as the page and a test see it: ``Studio(settings)``. No torch, no Gradio."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from studio.errors import HostError
from studio.runs.accounts import Accounts
from studio.runs.admin import Admin
from studio.runs.blind import Blind
from studio.runs.comparisons import Comparisons
from studio.runs.corpora import Corpora
from studio.runs.datasets import Datasets
from studio.runs.demos import Demos
from studio.runs.documents import Documents
from studio.runs.drafts import Drafts
from studio.runs.embeddings import Embeddings
from studio.runs.evidence import RunEvidence
from studio.runs.executors.local import LocalExecutor
from studio.runs.exports import Exports
from studio.runs.feedback import Feedback
from studio.runs.hub import HubDatasets
from studio.runs.imports import Imports
from studio.runs.indexes import Indexes
from studio.runs.keys import Keys
from studio.runs.makings import Makings
from studio.runs.pushes import Pushes
from studio.runs.queries import Queries
from studio.runs.queue import IndexLane, MakingLane, TrainingLane
from studio.runs.quotas import Quotas
from studio.runs.reviews import Reviews
from studio.runs.searches import Searches
from studio.runs.seen import RunSeen
from studio.runs.sharing import Sharing
from studio.runs.slots import Devices
from studio.runs.store import Store
from studio.runs.supervisor import Supervisor
from studio.runs.sweeps import Sweeps
from studio.runs.tidying import Tidying
from studio.runs.timings import Timings
from studio.runs.training_runs import Runs
from studio.runs.trash import Trash
from studio.runs.workspace import Workspace
from studio.settings import Settings
from studio.training.feed import Feeds
from studio.training.speeds import Speeds

INDEX_SLOTS = 2
"""Base and tuned model are indexed side by side: most of a small index's time is starting up."""
MAKING_SLOTS = 2
"""One that takes long does not keep the others waiting."""
IDLE_LOOK_S = 30
"""How often idle models are looked for."""
ENCODING_THREADS = 2
"""What is encoded for links and programs: the page's own requests have threads of their own."""


class Studio:
    """All that one server does with one workspace.

    Every method of its parts takes the owner first; what belongs to another owner raises NotFound, as what does not
    exist. ``datasets``, ``runs`` and ``corpora`` have ``see`` and ``shared``, too, for what others show to the lab; only what is
    looked at and searched with goes through these. All methods may be called from any thread, and none waits for training.

        datasets  stage(owner, path, file_name) -> UploadRecord
                  table(owner, upload_id, dialect=None) -> Table
                  report(owner, upload_id, roles=None, dialect=None) -> FileReport
                  create(owner, upload_id, roles, name, dialect=None) -> DatasetRecord
                  create_sample(owner, sample_id) -> DatasetRecord
                  list(owner) -> list[DatasetRecord]; get(owner, dataset_id); delete(owner, dataset_id)
                  rows(owner, dataset_id, offset, limit) -> pa.Table
        imports   begin(owner, upload_id, roles, name, dialect=None) -> MakingRecord; running(owner) -> MakingRecord | None
        hub       begin(owner, name, most_rows) -> MakingRecord; arrive(owner, making_id) -> UploadRecord
        runs      create(owner, dataset_id, config, name="") -> RunRecord
                  list(owner) -> list[RunRecord], newest first; get(owner, run_id); delete(owner, run_id)
                  page(owner, state="", dataset_id="", tag="", words="", offset=0, limit=50) -> RunPage
                  describe(owner, run_id, tags, notes) -> RunRecord
                  feed(owner, run_id, since=0) -> dict (see studio.training.feed); log(owner, run_id, lines=200) -> str
                  stop(owner, run_id, keep) ; resume(owner, run_id) -> RunRecord; verdict(owner, run_id) -> Verdict | None
        comparisons  compare(owner, run_ids, against="") -> Found; leaderboard(owner, dataset_id) -> Leaderboard
                  report(owner, run_id) -> Report; report_of_several(owner, run_ids, against="") -> Report
        trash     list(owner) -> list[Deleted]; bring_back(owner, kind, id); remove(owner, kind, id); empty(owner)
        corpora   create_from_dataset(owner, dataset_id, roles=None) -> CorpusRecord
                  create_from_upload(owner, upload_id, column, name, dialect=None, title="", fields=(), update="")
                      -> CorpusRecord, or the MakingRecord of making it
                  create_from_library(owner, library, name, update="") -> CorpusRecord
                  list(owner); get(owner, corpus_id); info(owner, corpus_id) -> CorpusInfo; delete(owner, corpus_id)
        searches  ensure(owner, corpus_id, columns, retry=False) -> list[IndexRecord]; stop(owner, corpus_id, key)
                  search(owner, corpus_id, columns, asked) -> Found; samples(owner, corpus_id, run_id) -> dict
                  history(owner, corpus_id) -> list; forget(owner, corpus_id)
        feedback  mark(owner, corpus_id, version, query, mark, document, span=None, above=()) -> Summary
                  rows(owner, corpus_id) -> pa.Table; dataset(owner, corpus_id) -> DatasetRecord
                  train(owner, corpus_id, run_id) -> RunRecord
        blind     ask(owner, corpus_id, columns, asked) -> Pair; vote(owner, pair_id, choice) -> labels
                  preferences(owner, corpus_id) -> list[Preference]; forget(owner, corpus_id)
        tidying   begin(owner, corpus_id, column, alike=0.95, topics=0) -> MakingRecord; latest(owner, corpus_id)
                  table(owner, making_id, name) -> pa.Table
        makings   create(owner, kind, name, task, dataset_id="", files=None) -> MakingRecord
                  list(owner), newest first; get(owner, making_id); latest(owner, kind, dataset_id) -> MakingRecord | None
                  stop(owner, making_id); delete(owner, making_id)
        timings   want(owner, dataset_id, config, work) -> whether steps are being timed; going_on(owner); end(owner)
        accounts  list, get, add, reset, disable, enable; sign_in(name, password, address) -> session; whose(session)
        documents stage(owner, files) -> UploadRecord
                  read(owner, upload_id) -> Library, or the MakingRecord of reading them
                  preview(owner, upload_id, recipes, config) -> Preview; all_pairs(...) -> Pairs
                  create(owner, upload_id, recipes, config, name) -> DatasetRecord, or the MakingRecord of making it
        queries   of_dataset(owner, dataset_id, role, config) -> Ask; start_with_dataset(..., name) -> MakingRecord
                  of_documents(owner, upload_id, pairs, config) -> Ask; start_with_documents(..., name) -> MakingRecord
                  go_on(owner, making_id, finish) -> MakingRecord
        sweeps    create(owner, dataset_id, plan, name="") -> SweepRecord; list(owner); get(owner, sweep_id)
                  importance(owner, sweep_id) -> dict; winner(owner, sweep_id) -> TrainConfig; stop; delete
        drafts    page(owner, dataset_id, offset=0, query="", edited=False) -> DraftPage; edit(owner, dataset_id, step) -> Edited
                  undo(owner, dataset_id) -> Edited; discard(owner, dataset_id); save(owner, dataset_id) -> DatasetRecord
        reviews   mine(owner, dataset_id, settings, corpus_id="") -> MakingRecord; look(owner, dataset_id, base_model) -> MakingRecord
                  of(owner, dataset_id) -> id of its newest review or ""; get(owner, review_id) -> Review
                  decide(owner, review_id, entry, decision) -> Review; undo(owner, review_id) -> Review
                  finish(owner, review_id) -> DatasetRecord
        sharing   state(owner, kind, id) -> Shared; with_lab(owner, kind, id, on); serve(owner, run_id, on); served(owner)
        demos     of(owner, run_id) -> DemoRecord | None; open(owner, run_id, corpus_id) -> DemoRecord; close(owner, run_id)
                  visit(token) -> Visit; search(token, query, address) -> Comparison: whoever has the link
        keys      make(owner, name="") -> (KeyRecord, secret); list(owner); revoke(owner, key_id); whose(secret) -> owner | None
        embeddings  models(owner); model(owner, run_id); count(owner); embed(owner, run_id, texts) -> (vectors, tokens)
        admin     for admins: accounts, use, gpus, queue, queue_state, set_queue, old_checkpoints, remove_checkpoints
        exports   archive(owner, run_id) -> Path of a zip of the tuned model
        evidence  page(owner, run_id, wish) -> dict; row(owner, run_id, place) -> dict; slices(owner, run_id) -> dict
                  table(owner, run_id, wish) -> pa.Table
        seen      show(owner, run_id) -> SeenOfRun
                  make(owner, run_id, what) -> Made; made(owner, run_id, what) -> Made (what: onnx, openvino, sizes)
                  export_archive(owner, run_id, file) -> Path of a zip of one exported file
        pushes    plan(owner, run_id, forms) -> files; begin(owner, run_id, wish, token) -> Push; of(owner, run_id); stop

    ``feed`` answers with a dict: run, state, phase, step, steps, message, hint, reset, next, train {step, loss,
    learning_rate, rows_per_s}, eval {step, loss, <metric> ...}, metrics [ids], primary, eta_s, rows_per_s, notes
    [{t, severity, message}], device, precision, base {metric: value}, download {done, total} in bytes or None. Pass ``next`` back as ``since``. ``reset`` true:
    the points replace those that the caller has (first call, or the run went back to a checkpoint); false: they are
    new ones to append.
    """

    def __init__(self, settings: Settings, executor: LocalExecutor | None = None):
        self.settings = settings
        self.workspace = Workspace(settings.workspace)
        self._executor = executor or LocalExecutor()

    def start(self) -> None:
        """Open the workspace, bring the database up to date, begin to supervise.

        Raises:
            HostError: the workspace cannot be written, another server uses it, its database cannot be opened, or accounts are
            needed and there are none.
        """
        settings, workspace = self.settings, self.workspace
        workspace.open(f"http://{settings.host}:{settings.port}")
        store = self._store = Store(settings.sqlalchemy_url)
        try:
            store.open()
        except HostError:
            self._store.close()
            workspace.close()
            raise
        self.accounts = Accounts(store, workspace.secret)
        if settings.needs_accounts and settings.oidc_issuer and not (settings.oidc_client_id and settings.public_url):
            self._store.close()
            workspace.close()
            raise HostError(
                "STUDIO_OIDC_ISSUER needs STUDIO_OIDC_CLIENT_ID and STUDIO_PUBLIC_URL beside it.",
                hint="docs/hosting.md has an example.",
            )
        vouched = settings.proxy_header or settings.oidc_issuer
        if settings.needs_accounts and not vouched and not self.accounts.any():
            self._store.close()
            workspace.close()
            raise HostError(
                "People have to sign in here, and there is no account yet.",
                hint="Make one with 'sentence-studio account add NAME --admin', or say --open if really everybody who "
                "reaches this server may use it.",
            )
        feeds = Feeds()
        speeds = Speeds(workspace.speeds)
        training = TrainingLane(store, workspace, Devices(settings.training_slots, settings.cpu_slots), feeds, speeds)
        quotas = Quotas(
            store, workspace, disk_gb=settings.quota_disk_gb, queued=settings.quota_queued_runs, gpu_hours=settings.quota_gpu_hours,
        )  # fmt: skip
        workspace.check_quota = quotas.check_disk
        self.datasets = Datasets(store, workspace, max_upload_mb=settings.max_upload_mb)
        self.supervisor = Supervisor(
            (training, IndexLane(store, workspace, INDEX_SLOTS), MakingLane(store, workspace, MAKING_SLOTS)),
            self._executor,
            max_attempts=settings.max_attempts,
            stop_grace_s=settings.stop_grace_s,
            housekeeping=Housekeeping((3600, self._sweep), (IDLE_LOOK_S, self._let_idle_models_go)),
        )
        indexes = self._indexes = Indexes(
            store, workspace, self._executor, self.supervisor, disk_mb=settings.index_disk_mb
        )
        self.runs = Runs(store, workspace, self.datasets, feeds, training, self.supervisor, quotas)
        self.comparisons = Comparisons(self.runs)
        self.trash = Trash(store, workspace, indexes, self.supervisor, settings.trash_days)
        self.makings = Makings(store, workspace, self.datasets, self._executor, self.supervisor)
        self.corpora = Corpora(
            store, workspace, self.datasets, self.makings, indexes,
            max_rows=settings.max_corpus_rows, kept=settings.warm_indexes,
        )  # fmt: skip
        self.searches = Searches(
            store, self.datasets, self.corpora, self.runs, indexes, warm_models=settings.warm_models,
            warm_indexes=settings.warm_indexes, reranker=settings.reranker,
        )  # fmt: skip
        self.feedback = Feedback(store, self.datasets, self.corpora, self.runs)
        self.blind = Blind(store, self.corpora, self.searches)
        self.tidying = Tidying(self.corpora, self.searches, self.makings)
        self.drafts = Drafts(self.datasets, workspace)
        self.evidence = RunEvidence(self.runs, self.datasets)
        self.seen = RunSeen(self.runs)
        self.timings = Timings(store, self.makings, training, speeds, settings.timed_steps)
        self.exports = Exports(workspace, self.runs, self.makings)
        self.pushes = Pushes(self.runs, self.exports, settings.hub_push)
        self.imports = Imports(self.datasets, self.makings)
        self.hub = HubDatasets(
            self.workspace, self.datasets, self.makings, most_rows=settings.max_hub_rows, most_mb=settings.max_upload_mb
        )
        self.documents = Documents(store, workspace, self.datasets, self.makings, max_upload_mb=settings.max_upload_mb)
        self.queries = Queries(settings, workspace, self.datasets, self.documents, self.makings)
        self.sweeps = Sweeps(store, workspace, self.datasets, self.runs, training)
        self.reviews = Reviews(self.makings, self.datasets, self.corpora, self.runs)
        self.admin = Admin(
            store, workspace, self.accounts, training, self.supervisor, quotas, needs_accounts=settings.needs_accounts
        )
        self.sharing = Sharing(store, self.runs)
        self.demos = Demos(store, self.runs, self.corpora, self.searches, per_minute=settings.demo_per_minute)
        self.keys = Keys(store)
        self.embeddings = Embeddings(self.sharing, self.searches, per_minute=settings.api_per_minute)
        self.encoding = ThreadPoolExecutor(ENCODING_THREADS, thread_name_prefix="encoding")
        self.supervisor.start()
        self.sweeps.start()

    def announce(self, address: str) -> None:
        """Note the address that this server is reached at, for whoever finds the workspace taken."""
        self.workspace.announce(address)

    def close(self) -> None:
        """Stop supervising and let go of the workspace. Runs go on; the next server finds them."""
        self.encoding.shutdown(cancel_futures=True)
        self.sweeps.close()
        self.pushes.close()
        self.supervisor.close()
        self._store.close()
        self.workspace.close()

    # for whoever watches the server; numbers only, nothing of anybody's

    def counts(self) -> dict[str, dict[str, int]]:
        """``{"runs": {state: how many}, "makings": ..., "sweeps": ..., "indexes": ...}``"""
        return self._store.counts()

    def longest_wait_s(self) -> float:
        """How long the run waits that is queued longest; 0: none waits."""
        return self._store.longest_wait_s()

    def looked_s_ago(self) -> float:
        """Since the supervisor last looked at everything, in seconds."""
        return self.supervisor.looked_s_ago

    def _let_idle_models_go(self) -> None:
        self.searches.let_idle_models_go(self.settings.warm_idle_s)

    def _sweep(self) -> None:
        self.datasets.sweep()
        self.makings.sweep()
        self.trash.sweep()
        self.exports.sweep()
        self._indexes.free()
        self.workspace.sweep()


class Housekeeping:
    """Calls functions, each at most every so many seconds, and the first time at once."""

    def __init__(self, *tasks: tuple[float, Callable[[], None]]):
        self._tasks = tasks
        self._next = [time.monotonic()] * len(tasks)

    def __call__(self) -> None:
        for place, (every_s, function) in enumerate(self._tasks):
            if time.monotonic() >= self._next[place]:
                self._next[place] = time.monotonic() + every_s
                function()
