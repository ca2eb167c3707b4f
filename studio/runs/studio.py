"""The server's heart, as the page and a test see it: ``Studio(settings)``. No torch, no Gradio."""

from studio.settings import Settings


class Studio:
    """All that one server does with one workspace.

    Every method of its parts takes the owner first; what belongs to another owner raises NotFound, as what does not
    exist. All methods may be called from any thread, and none waits for training.

        datasets  stage(owner, path, file_name) -> UploadRecord
                  table(owner, upload_id, dialect=None) -> Table
                  report(owner, upload_id, roles=None, dialect=None) -> FileReport
                  create(owner, upload_id, roles, name, dialect=None) -> DatasetRecord
                  create_sample(owner, sample_id) -> DatasetRecord
                  list(owner) -> list[DatasetRecord]; get(owner, dataset_id); delete(owner, dataset_id)
                  rows(owner, dataset_id, offset, limit) -> pa.Table
        runs      create(owner, dataset_id, config, name="") -> RunRecord
                  list(owner) -> list[RunRecord], newest first; get(owner, run_id); delete(owner, run_id)
                  feed(owner, run_id, since=0) -> dict (see feed.py); log(owner, run_id, lines=200) -> str
                  stop(owner, run_id, keep) ; resume(owner, run_id) -> RunRecord; verdict(owner, run_id) -> Verdict | None
        corpora   create_from_dataset(owner, dataset_id, roles=None) -> CorpusRecord
                  create_from_upload(owner, upload_id, column, name, dialect=None) -> CorpusRecord
                  list(owner); get(owner, corpus_id); delete(owner, corpus_id)
                  ensure_index(owner, corpus_id, run_id, retry=False) -> (IndexRecord of base, IndexRecord of tuned)
                  search(owner, corpus_id, run_id, query, top_k=10) -> Comparison
        exports   archive(owner, run_id) -> Path of a zip of the tuned model

    ``feed`` answers with a dict: run, state, phase, step, steps, message, hint, reset, next, train {step, loss,
    learning_rate, rows_per_s}, eval {step, loss, <metric> ...}, metrics [ids], primary, eta_s, rows_per_s, notes
    [{t, severity, message}], device, precision, base {metric: value}. Pass ``next`` back as ``since``. ``reset`` true:
    the points replace those that the caller has (first call, or the run went back to a checkpoint); false: they are
    new ones to append.
    """

    def __init__(self, settings: Settings):
        self.settings = settings

    def start(self) -> None:
        """Open the workspace, bring the database up to date, begin to supervise.

        Raises:
            HostError: the workspace cannot be written, or another server uses it.
        """

    def announce(self, address: str) -> None:
        """Note the address that this server is reached at, for whoever finds the workspace taken."""

    def close(self) -> None:
        """Stop supervising and let go of the workspace. Runs go on; the next server finds them."""
