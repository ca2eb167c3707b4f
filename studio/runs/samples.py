"""The sample tables that come with the studio, in assets/samples."""

from dataclasses import dataclass

from studio.data.table import Roles


@dataclass(frozen=True)
class Sample:
    id: str
    label: str
    help: str
    file: str
    """Name inside assets/samples."""
    roles: Roles
    attribution: str
    """Source and licence, to be shown with the sample."""


SAMPLES = (
    Sample(
        "banking77",
        "Bank questions and their topics",
        "Short questions to a bank, each with the topic it is about. Trains in a minute or two; the gain is easy to see.",
        "banking77.csv",
        Roles(anchor="question", positive="topic"),
        "BANKING77, Casanueva et al. 2020 (PolyAI), CC BY 4.0",
    ),
    Sample(
        "programs",
        "Government programs (triplets)",
        "A program's title, the description that belongs to it and one that does not.",
        "programs_triplets.csv",
        Roles(anchor="anchor", positive="positive", negatives=("negative",)),
        "Contains information licensed under the Open Government Licence - Canada",
    ),
)

SAMPLE = {record.id: record for record in SAMPLES}
