"""What a loss needs and when to use it. Ids are the class names of sentence-transformers.

Source of inputs and labels: the loss table of sentence-transformers' documentation (loss overview), version 6.2.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LossParameter:
    id: str
    """Name of the TrainConfig field that sets it."""
    argument: str
    """Name of the argument of the loss class."""
    default: float


@dataclass(frozen=True)
class Loss:
    id: str
    label: str
    formats: tuple[str, ...]
    """Formats that can feed it, the ones it suits first."""
    why: str
    """One sentence for a person who has to choose."""
    parameters: tuple[LossParameter, ...] = ()
    fixed: dict = field(default_factory=dict)
    """Arguments that the studio always passes. ``distance``: name of a TripletDistanceMetric; ``batch_distance``: of a
    method of BatchHardTripletLossDistanceFunction."""
    in_batch_negatives: bool = False
    """The other rows of a batch serve as negatives: a batch must not hold the same text twice."""
    by_class: bool = False
    """Compares texts of a batch by their classes: a batch holds two texts at least of each of its classes."""
    text_twice: bool = False
    """Takes plain texts as pairs of each text with itself, which dropout makes two different readings of one text."""
    whys: dict[str, str] = field(default_factory=dict)
    """Format -> sentence that says it better than ``why`` there."""
    max_negatives: int | None = None
    """Most negatives a row may have; None: any number."""
    min_batch_size: int = 1
    source: str = ""


LOSSES = (
    Loss(
        "MultipleNegativesRankingLoss",
        "Multiple negatives ranking",
        ("pair", "triplet", "texts"),
        "Every other row of the batch serves as a wrong answer, so plain pairs are enough; larger batches teach more.",
        (LossParameter("loss_scale", "scale", 20.0),),
        in_batch_negatives=True,
        text_twice=True,
        whys={
            "texts": "Each text is read twice and has to find its other reading, which dropout makes a little different, among the "
            "texts of the batch (SimCSE, Gao et al. 2021, arXiv:2104.08821). Plain texts teach less than pairs."
        },
        min_batch_size=2,
        source="Henderson et al. 2017, arXiv:1705.00652",
    ),
    Loss(
        "CachedMultipleNegativesRankingLoss",
        "Multiple negatives ranking, cached",
        ("pair", "triplet"),
        "The same, computed in small portions: very large batches fit into memory, at some cost in time.",
        (LossParameter("loss_scale", "scale", 20.0), LossParameter("mini_batch_size", "mini_batch_size", 32)),
        in_batch_negatives=True,
        min_batch_size=2,
        source="Gao et al. 2021, arXiv:2101.06983",
    ),
    Loss(
        "TripletLoss",
        "Triplet",
        ("triplet",),
        "Pulls the anchor closer to its positive than to its negative by a margin; uses only the row's own negative.",
        (LossParameter("loss_margin", "triplet_margin", 0.3),),
        fixed={"distance": "COSINE"},
        max_negatives=1,
        source="Schroff et al. 2015, arXiv:1503.03832",
    ),
    Loss(
        "CoSENTLoss",
        "CoSENT",
        ("scored_pair",),
        "Learns the order of the scores, whatever their scale: the usual best choice for scored pairs.",
        (LossParameter("loss_scale", "scale", 20.0),),
        min_batch_size=2,
        source="Su 2022, kexue.fm/archives/8847",
    ),
    Loss(
        "AnglELoss",
        "AnglE",
        ("scored_pair",),
        "Like CoSENT, on angles instead of cosines: gradients do not vanish where texts are very alike or very different.",
        (LossParameter("loss_scale", "scale", 20.0),),
        min_batch_size=2,
        source="Li and Li 2023, arXiv:2309.12871",
    ),
    Loss(
        "CosineSimilarityLoss",
        "Cosine similarity",
        ("scored_pair",),
        "Makes the cosine of a pair equal to its score; right when the scores themselves matter, not only their order.",
        source="Reimers and Gurevych 2019, arXiv:1908.10084",
    ),
    Loss(
        "ContrastiveLoss",
        "Contrastive",
        ("labelled_pair",),
        "Pulls pairs labelled 1 together and pushes pairs labelled 0 apart, up to a margin.",
        (LossParameter("loss_margin", "margin", 0.5),),
        source="Hadsell et al. 2006",
    ),
    Loss(
        "OnlineContrastiveLoss",
        "Contrastive, hard pairs only",
        ("labelled_pair",),
        "Contrastive loss on only the pairs of a batch that are still told wrong; often better when most pairs are easy.",
        (LossParameter("loss_margin", "margin", 0.5),),
        min_batch_size=2,
        source="sentence-transformers, OnlineContrastiveLoss",
    ),
    Loss(
        "BatchAllTripletLoss",
        "Triplets of the batch by class",
        ("classed_text",),
        "Brings texts of one class closer together than to texts of other classes, with all triplets that a batch can make.",
        (LossParameter("loss_margin", "margin", 0.3),),
        fixed={"batch_distance": "cosine_distance"},
        by_class=True,
        min_batch_size=4,
        source="Hermans et al. 2017, arXiv:1703.07737",
    ),
)

LOSS = {record.id: record for record in LOSSES}
