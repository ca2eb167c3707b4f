"""The rows that a script trains on: a file of each dataset, as its loss takes them; texts that are drawn are drawn again."""

from dataclasses import asdict, dataclass

from studio.catalog.losses import LOSS
from studio.export.script.page import Page, Raw
from studio.training import feeding as drawing
from studio.training.config import TrainConfig
from studio.training.folder import RunFolder
from studio.training.inputs import DRAWN
from studio.training.parts import FIRST
from studio.training.teacher import has_teacher
from studio.training.train import Trained

FILE = "train.parquet"


@dataclass(frozen=True)
class Rows:
    """What the archive makes one file of rows from."""

    dataset: str
    """Folder of the dataset in the run's."""
    feeding: str
    positions: list[int]
    taught: bool
    """A teacher's labels stand beside the texts."""


def write_rows(page: Page, done: Trained, folder: RunFolder) -> dict[str, dict]:
    """The function ``read_rows``; returns, for each file beside the script, what it is made from."""
    page.use("datasets", "Dataset")
    if draws(done):
        page.use("transformers", "TrainerCallback")
        page.define(EPOCH)
    epoch = "epoch: Epoch" if draws(done) else ""
    if not done.others:
        page.function(f"def read_rows({epoch}) -> Dataset:", _lines(page, done.config, FILE))
    else:
        page.use("datasets", "DatasetDict")
        calls = {}
        for key, config in configs_of(done).items():
            drawn = LOSS[config.loss].feeding in DRAWN
            page.function(f"def read_{key}({epoch if drawn else ''}) -> Dataset:", _lines(page, config, _file(key)))
            calls[key] = Raw(f"read_{key}({'epoch' if drawn else ''})")
        page.function(
            f"def read_rows({epoch}) -> DatasetDict:", [f"rows = {page.source(calls)}", "return DatasetDict(rows)"]
        )
    first = Rows(
        folder.dataset.name, LOSS[done.config.loss].feeding, done.rows.train.tolist(), has_teacher(done.config)
    )
    made = {FILE: first}
    for number, other in enumerate(done.others, 1):
        part = other.part
        place = f"{folder.datasets.name}/{number}"
        made[_file(part.key)] = Rows(place, LOSS[part.config.loss].feeding, part.rows.train.tolist(), False)
    return {name: asdict(rows) for name, rows in made.items()}


def configs_of(done: Trained) -> dict[str, TrainConfig]:
    """The config of each dataset, by the name that the Trainer knows it by."""
    return {FIRST: done.config, **{other.part.key: other.part.config for other in done.others}}


def draws(done: Trained) -> bool:
    """Whether some texts are drawn anew in each epoch."""
    return any(LOSS[config.loss].feeding in DRAWN for config in configs_of(done).values())


def _file(key: str) -> str:
    return FILE if key == FIRST else f"{key}.parquet"


def _lines(page: Page, config: TrainConfig, file: str) -> list[str]:
    read = f'Dataset.from_parquet(str(HERE / "{file}"))'
    feeding = LOSS[config.loss].feeding
    doc = [f'"""{_words(config)}"""'] if _words(config) else []
    if feeding not in DRAWN:
        return [*doc, f"return {read}"]
    page.use("zlib")
    page.use("numpy as np")
    page.take_over(drawing.chance_of)
    lines = [*doc, f"rows = {read}"]
    if feeding == "noisy":
        page.take_over(drawing.thin, drawing.leave_out)
        page.constant("NOISE_RATIO", config.of_loss("noise_ratio"), "share of the words that are left out")
        draw = "leave_out(batch, SEED, epoch.number, NOISE_RATIO)"
    else:
        page.take_over(drawing.pair_up)
        page.constant("POSITIVE_EVERY", drawing.POSITIVE_EVERY, "one row of so many is a text with itself")
        lines.append('texts = list(rows["text"])')
        draw = "pair_up(batch, SEED, epoch.number, texts)"
    return [*lines, f"return rows.with_transform(lambda batch: {draw})"]


def _words(config: TrainConfig) -> str:
    """What the rows are; nothing where their columns say it."""
    return WORDS.get(LOSS[config.loss].feeding, "")


WORDS = {
    "class": "The texts; the label is the number of a text's class.",
    "twice": "Each text twice: dropout makes its two embeddings differ.",
    "noisy": "The texts; in each epoch other words are left out of what the model reads.",
    "contrasts": "The texts; in each epoch they are paired with other texts.",
    "teacher_scores": "The rows; the label is what a teacher model found: how similar the first text is to each of the others.",
    "teacher_vectors": "The rows; the label is a teacher model's embedding of each text.",
    "teacher_vector": "The rows; the label is a teacher model's embedding of the first text.",
}

EPOCH = '''
class Epoch(TrainerCallback):
    """Knows which epoch it is, for what is drawn anew in each."""

    number = 0

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.number = int(state.epoch + 1e-6)
'''
