"""What a loss needs and when to use it, and what can be put on top of one.

Ids are the class names of sentence-transformers, except where one class serves two purposes (``cls`` names it then).
Source of inputs, labels and samplers: the documentation of sentence-transformers 6.2 (loss overview, and the table in
the docstring of every loss). Which loss goes with which modifier was tried: tests/training/test_losses.py trains every
combination that is allowed here, and sees every one that is not fail in the library.
"""

from dataclasses import dataclass, field

from studio.catalog.models import DEFAULT_MODEL


@dataclass(frozen=True)
class LossParameter:
    id: str
    """Name of the TrainConfig field that sets it."""
    argument: str
    """Name of the argument of the loss class; of feeding.py for those that the studio itself needs."""
    default: float | str
    """Empty: the studio works it out."""
    minimum: float | None = None
    """Bounds within those of the field; None: the field's own."""
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    """Which of the field's choices it takes; empty: all."""


@dataclass(frozen=True)
class Feeding:
    """How a dataset's rows reach a loss."""

    id: str
    inputs: str
    labels: str
    help: str


@dataclass(frozen=True)
class Sampler:
    """How rows are put together into batches. Ids are sentence-transformers' own."""

    id: str
    label: str
    help: str


@dataclass(frozen=True)
class Need:
    """What a base model may have to have."""

    id: str
    label: str
    reason: str
    """Why a model without it does not do."""


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
    """Arguments that the studio always passes."""
    cls: str = ""
    """Class of sentence-transformers; empty: the id."""
    feeding: str = "columns"
    sampler: str = "batch_sampler"
    max_negatives: int | None = None
    """Most negatives a row may have; None: any number."""
    min_batch_size: int = 1
    good_batch_size: int | None = None
    """Learns little from smaller batches; None: any will do."""
    cached: bool = False
    """Computes a batch in portions and goes through the model once more for the gradient."""
    reads: int = 1
    """How often a step reads each text."""
    fixed_size: str = ""
    """Why it cannot do with shorter embeddings; empty: it can."""
    needs: tuple[str, ...] = ()
    """What the base model must have: ids of NEEDS."""
    packs: bool = True
    """The fast engine can serve it."""
    whole_model: str = ""
    """Why a model of which only a part is trained (LoRA, frozen layers) does not do; empty: it does."""
    evaluator: str = "InformationRetrievalEvaluator"
    """Evaluator of sentence-transformers that suits it."""
    expect: str = ""
    """What to expect, honestly; empty: nothing out of the ordinary."""
    source: str = ""

    @property
    def in_batch_negatives(self) -> bool:
        """The other rows of a batch serve as negatives: a batch must not hold the same text twice."""
        return self.sampler == "no_duplicates"

    @property
    def by_class(self) -> bool:
        """Compares texts of a batch by their classes, two texts at least of each: batches are even."""
        return self.sampler == "group_by_label"


@dataclass(frozen=True)
class Modifier:
    """Put on top of a loss: the loss is computed several times, for shorter embeddings or earlier layers."""

    id: str
    """``none``, or a class of sentence-transformers without its ending Loss."""
    label: str
    why: str
    parameters: tuple[LossParameter, ...] = ()
    cuts_dimensions: bool = False
    cuts_layers: bool = False
    source: str = ""


FEEDINGS = (
    Feeding("columns", "the texts of a row, in order", "none, or the row's score or label", "The columns as they are."),
    Feeding("class", "one text", "number of its class", "Each class gets a number."),
    Feeding("twice", "the text, twice", "none", "Dropout makes the two embeddings differ."),
    Feeding("once", "one text", "none", "The texts as they are."),
    Feeding(
        "noisy",
        "the text with words left out, the text",
        "none",
        "Words are left out by chance, others in each epoch; the seed decides which.",
    ),
    Feeding(
        "contrasts",
        "two texts",
        "1 for a text with itself, 0 for two different ones",
        "Every eighth row of a batch is a text with itself, the others are paired with another text by chance.",
    ),
    Feeding(
        "teacher_scores",
        "anchor, positive, negatives",
        "the teacher's similarity of the anchor to each of them",
        "The teacher compares the texts of every row once, before training.",
    ),
    Feeding(
        "teacher_vectors",
        "the texts of a row",
        "the teacher's embedding of each",
        "The teacher embeds every text once, before training.",
    ),
    Feeding(
        "teacher_vector",
        "the texts of a row",
        "the teacher's embedding of the first",
        "The teacher embeds the first text of every row once, before training.",
    ),
)

SAMPLERS = (
    Sampler("batch_sampler", "By chance", "Rows are drawn by chance."),
    Sampler(
        "no_duplicates",
        "No text twice",
        "A batch holds no text twice: as another row's text it would count as a wrong answer.",
    ),
    Sampler(
        "group_by_label",
        "By class",
        "A batch holds at least two classes, and at least two texts of each.",
    ),
)

NEEDS = (
    Need("transformer", "a transformer", "it needs a transformer"),
    Need(
        "portions",
        "a transformer",
        "static models cannot be computed in portions, and need so little memory that the uncached loss will do",
    ),
    Need("dropout", "with dropout", "it needs a model with dropout, which makes two embeddings of one text differ"),
    Need(
        "decoder",
        "BERT-like",
        "it needs a model whose architecture can also write texts (BERT, RoBERTa, XLM-RoBERTa, ELECTRA and kin)",
    ),
)

DECODERS = (
    "bert", "big_bird", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert", "rembert", "roberta",
    "roberta-prelayernorm", "roc_bert", "roformer", "xlm-roberta", "xlm-roberta-xl", "xmod",
)  # fmt: skip
"""``model_type`` of the architectures that transformers can also make a decoder of, with cross-attention."""

_SCALE = LossParameter("loss_scale", "scale", 20.0)
_PORTION = LossParameter("mini_batch_size", "mini_batch_size", 32)
_CONTRAST = LossParameter("contrast", "contrast", "answers")
_HARDNESS = (
    LossParameter("hardness_mode", "hardness_mode", "none"),
    LossParameter("hardness_strength", "hardness_strength", 5.0),
)
_GUIDE = (
    LossParameter("guide_model", "guide", DEFAULT_MODEL),
    LossParameter("loss_temperature", "temperature", 0.01),
    LossParameter("loss_margin", "margin", 0.0, maximum=1),
    LossParameter("margin_strategy", "margin_strategy", "absolute"),
    LossParameter("contrast", "contrast", "all"),
)
_TEACHER = LossParameter("teacher_model", "teacher", DEFAULT_MODEL)
_DISTANCE = LossParameter("loss_distance", "distance_metric", "cosine")
_TWO_DISTANCES = LossParameter("loss_distance", "distance_metric", "cosine", choices=("cosine", "euclidean"))
_CLASS_MARGIN = LossParameter("loss_margin", "margin", 0.3, minimum=0.01)
_SYMMETRIC = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}

LOSSES = (
    Loss(
        "MultipleNegativesRankingLoss",
        "Multiple negatives ranking",
        ("pair", "triplet"),
        "Every other row of the batch serves as a wrong answer, so plain pairs are enough; larger batches teach more.",
        (_SCALE, _CONTRAST, *_HARDNESS),
        sampler="no_duplicates",
        min_batch_size=2,
        source="Henderson et al. 2017, arXiv:1705.00652",
    ),
    Loss(
        "CachedMultipleNegativesRankingLoss",
        "Multiple negatives ranking, cached",
        ("pair", "triplet"),
        "The same, computed in small portions: very large batches fit into memory, at some cost in time.",
        (_SCALE, _PORTION, _CONTRAST, *_HARDNESS),
        sampler="no_duplicates",
        min_batch_size=2,
        cached=True,
        needs=("portions",),
        source="Gao et al. 2021, arXiv:2101.06983",
    ),
    Loss(
        "MultipleNegativesSymmetricRankingLoss",
        "Multiple negatives ranking, symmetric",
        ("pair",),
        "Finds the positive for an anchor and the anchor for a positive: for texts that are alike on both sides.",
        (_SCALE,),
        fixed=_SYMMETRIC,
        cls="MultipleNegativesRankingLoss",
        sampler="no_duplicates",
        min_batch_size=2,
        source="Günther et al. 2024, arXiv:2310.19923",
    ),
    Loss(
        "CachedMultipleNegativesSymmetricRankingLoss",
        "Multiple negatives ranking, symmetric, cached",
        ("pair",),
        "The symmetric loss in small portions: very large batches fit into memory, at some cost in time.",
        (_SCALE, _PORTION),
        fixed=_SYMMETRIC,
        cls="CachedMultipleNegativesRankingLoss",
        sampler="no_duplicates",
        min_batch_size=2,
        cached=True,
        needs=("portions",),
        source="Gao et al. 2021, arXiv:2101.06983",
    ),
    Loss(
        "GISTEmbedLoss",
        "Guided ranking (GIST)",
        ("pair", "triplet"),
        "A guide model strikes out wrong answers that may be right: for rows with many near duplicates among the answers.",
        _GUIDE,
        sampler="no_duplicates",
        max_negatives=1,
        min_batch_size=2,
        needs=("transformer",),
        expect="The guide reads every batch as well, so a step takes longer.",
        source="Solatorio 2024, arXiv:2402.16829",
    ),
    Loss(
        "CachedGISTEmbedLoss",
        "Guided ranking (GIST), cached",
        ("pair", "triplet"),
        "Guided ranking in small portions: very large batches fit into memory, at some cost in time.",
        (*_GUIDE, _PORTION),
        sampler="no_duplicates",
        min_batch_size=2,
        cached=True,
        needs=("portions",),
        expect="The guide reads every batch as well, so a step takes longer.",
        source="Solatorio 2024, arXiv:2402.16829; Gao et al. 2021, arXiv:2101.06983",
    ),
    Loss(
        "MegaBatchMarginLoss",
        "Margin over mega-batches",
        ("pair",),
        "Takes the hardest wrong answer of a very large batch and pushes it below a margin.",
        (
            LossParameter("positive_margin", "positive_margin", 0.8),
            LossParameter("negative_margin", "negative_margin", 0.3),
            LossParameter("mini_batch_size", "mini_batch_size", 50),
        ),
        sampler="no_duplicates",
        min_batch_size=2,
        good_batch_size=500,
        cached=True,
        source="Wieting and Gimpel 2018, aclanthology.org/P18-1042",
    ),
    Loss(
        "TripletLoss",
        "Triplet",
        ("triplet",),
        "Pulls the anchor closer to its positive than to its negative by a margin; uses only the row's own negative.",
        (LossParameter("loss_margin", "triplet_margin", 0.3, minimum=0.01), _DISTANCE),
        max_negatives=1,
        evaluator="TripletEvaluator",
        source="Schroff et al. 2015, arXiv:1503.03832",
    ),
    Loss(
        "CoSENTLoss",
        "CoSENT",
        ("scored_pair",),
        "Learns the order of the scores, whatever their scale: the usual best choice for scored pairs.",
        (_SCALE,),
        min_batch_size=2,
        evaluator="EmbeddingSimilarityEvaluator",
        source="Su 2022, kexue.fm/archives/8847",
    ),
    Loss(
        "AnglELoss",
        "AnglE",
        ("scored_pair", "triplet"),
        "Like CoSENT, on angles instead of cosines: gradients do not vanish where texts are very alike or very different.",
        (_SCALE,),
        min_batch_size=2,
        evaluator="EmbeddingSimilarityEvaluator",
        source="Li and Li 2023, arXiv:2309.12871",
    ),
    Loss(
        "CosineSimilarityLoss",
        "Cosine similarity",
        ("scored_pair",),
        "Makes the cosine of a pair equal to its score; right when the scores themselves matter, not only their order.",
        evaluator="EmbeddingSimilarityEvaluator",
        source="Reimers and Gurevych 2019, arXiv:1908.10084",
    ),
    Loss(
        "ContrastiveLoss",
        "Contrastive",
        ("labelled_pair",),
        "Pulls pairs labelled 1 together and pushes pairs labelled 0 apart, up to a margin.",
        (
            LossParameter("loss_margin", "margin", 0.5, minimum=0.01),
            _DISTANCE,
            LossParameter("loss_reduction", "size_average", "mean"),
        ),
        evaluator="BinaryClassificationEvaluator",
        source="Hadsell et al. 2006, doi.org/10.1109/CVPR.2006.100",
    ),
    Loss(
        "OnlineContrastiveLoss",
        "Contrastive, hard pairs only",
        ("labelled_pair",),
        "Contrastive loss on only the pairs of a batch that are still told wrong; often better when most pairs are easy.",
        (LossParameter("loss_margin", "margin", 0.5, minimum=0.01), _DISTANCE),
        min_batch_size=2,
        evaluator="BinaryClassificationEvaluator",
        source="sentence-transformers, OnlineContrastiveLoss",
    ),
    Loss(
        "SoftmaxLoss",
        "Softmax classifier",
        ("labelled_pair", "classed_pair"),
        "Trains a classifier on top of both embeddings that tells the labels or classes apart; the classifier is thrown away.",
        fixed_size="its classifier takes whole embeddings only",
        evaluator="LabelAccuracyEvaluator",
        expect="Cosines are not trained directly: for search and similarity the contrastive losses mostly do better.",
        source="Reimers and Gurevych 2019, arXiv:1908.10084",
    ),
    Loss(
        "BatchAllTripletLoss",
        "Batch triplets, all",
        ("classed_text",),
        "Makes every possible triplet of a batch: texts of one class come together, those of others move away.",
        (_CLASS_MARGIN, _TWO_DISTANCES),
        feeding="class",
        sampler="group_by_label",
        min_batch_size=4,
        evaluator="TripletEvaluator",
        source="Hermans et al. 2017, arXiv:1703.07737",
    ),
    Loss(
        "BatchHardTripletLoss",
        "Batch triplets, hardest",
        ("classed_text",),
        "For each text only the farthest of its class and the nearest of another: strong, and easily misled by wrong classes.",
        (_CLASS_MARGIN, _TWO_DISTANCES),
        feeding="class",
        sampler="group_by_label",
        min_batch_size=4,
        evaluator="TripletEvaluator",
        source="Hermans et al. 2017, arXiv:1703.07737",
    ),
    Loss(
        "BatchSemiHardTripletLoss",
        "Batch triplets, semi-hard",
        ("classed_text",),
        "Takes wrong texts that are farther than the right one, but not by the margin: steadier than the hardest ones.",
        (_CLASS_MARGIN, _TWO_DISTANCES),
        feeding="class",
        sampler="group_by_label",
        min_batch_size=4,
        evaluator="TripletEvaluator",
        source="Schroff et al. 2015, arXiv:1503.03832",
    ),
    Loss(
        "BatchHardSoftMarginTripletLoss",
        "Batch triplets, hardest, no margin",
        ("classed_text",),
        "The hardest triplets of a batch without a margin to choose: it never stops pushing classes apart.",
        (_TWO_DISTANCES,),
        feeding="class",
        sampler="group_by_label",
        min_batch_size=4,
        evaluator="TripletEvaluator",
        source="Hermans et al. 2017, arXiv:1703.07737",
    ),
    Loss(
        "SimCSE",
        "SimCSE",
        ("texts",),
        "Each text is embedded twice, dropout makes the difference, and the two must find each other in the batch.",
        (_SCALE,),
        cls="MultipleNegativesRankingLoss",
        feeding="twice",
        reads=2,
        sampler="no_duplicates",
        min_batch_size=2,
        needs=("transformer", "dropout"),
        evaluator="EmbeddingSimilarityEvaluator",
        expect="It brings a plain language model a good part of the way. A model that was trained on pairs already, "
        "such as MiniLM, often gains nothing and may lose: one epoch, a low learning rate, and look at the verdict.",
        source="Gao et al. 2021, arXiv:2104.08821",
    ),
    Loss(
        "ContrastiveTensionLossInBatchNegatives",
        "Contrastive tension, in-batch negatives",
        ("texts",),
        "Two copies of the model must agree on each text and disagree on all others of the batch.",
        (_SCALE,),
        feeding="once",
        reads=2,
        sampler="no_duplicates",
        min_batch_size=2,
        fixed_size="the second copy of the model is never cut",
        needs=("transformer",),
        evaluator="EmbeddingSimilarityEvaluator",
        expect="Two models train, so memory doubles. It helps plain language models; a model that was trained on pairs "
        "already rarely gains.",
        source="Carlsson et al. 2021, openreview.net/forum?id=Ov_sMNau-PF",
    ),
    Loss(
        "ContrastiveTensionLoss",
        "Contrastive tension",
        ("texts",),
        "Two copies of the model must agree on a text with itself and disagree on texts paired by chance.",
        feeding="contrasts",
        reads=2,
        min_batch_size=8,
        fixed_size="the second copy of the model is never cut",
        needs=("transformer",),
        evaluator="EmbeddingSimilarityEvaluator",
        expect="Two models train, so memory doubles, and the signal is weaker than with in-batch negatives. "
        "Small batches and learning rates; a model that was trained on pairs already rarely gains.",
        source="Carlsson et al. 2021, openreview.net/forum?id=Ov_sMNau-PF",
    ),
    Loss(
        "DenoisingAutoEncoderLoss",
        "Denoising auto-encoder (TSDAE)",
        ("texts",),
        "Words are left out of a text, and a decoder must write the whole text from its embedding alone.",
        (LossParameter("noise_ratio", "noise_ratio", 0.6),),
        feeding="noisy",
        reads=2,
        fixed_size="its decoder takes whole embeddings only",
        needs=("transformer", "decoder"),
        packs=False,
        whole_model="its decoder shares the weights of the model, and trains them all",
        evaluator="EmbeddingSimilarityEvaluator",
        expect="Made for plain language models and ten thousand texts or more of one field; with fewer, or with a model "
        "that was trained on pairs already, expect little. The decoder starts from chance and is thrown away.",
        source="Wang et al. 2021, arXiv:2104.06979",
    ),
    Loss(
        "MarginMSELoss",
        "Margins of a teacher",
        ("triplet",),
        "Learns by how much a better model finds the positive closer than the negatives.",
        (_TEACHER,),
        fixed={"similarity_fct": "cosine"},
        feeding="teacher_scores",
        expect="The tuned model can hardly become better than its teacher; it becomes like it, and faster.",
        source="Hofstätter et al. 2020, arXiv:2010.02666",
    ),
    Loss(
        "DistillKLDivLoss",
        "Ranking of a teacher",
        ("triplet",),
        "Learns how a better model ranks the positive and the negatives of each row.",
        (_TEACHER, LossParameter("loss_temperature", "temperature", 0.05)),
        fixed={"similarity_fct": "cosine"},
        feeding="teacher_scores",
        expect="The tuned model can hardly become better than its teacher; it becomes like it, and faster.",
        source="Lin et al. 2020, arXiv:2010.11386",
    ),
    Loss(
        "EmbedDistillLoss",
        "Embeddings of a teacher",
        ("texts", "pair", "triplet"),
        "Makes the embedding of every text equal to that of a better model, whatever its length.",
        (_TEACHER, _TWO_DISTANCES),
        feeding="teacher_vectors",
        evaluator="MSEEvaluator",
        expect="The tuned model can hardly become better than its teacher; it becomes like it, and faster.",
        source="Kim et al. 2023, arXiv:2301.12005",
    ),
    Loss(
        "MSELoss",
        "Embeddings of a teacher, for translations",
        ("pair", "texts"),
        "Both texts of a row get the teacher's embedding of the first: a model learns another language from translations.",
        (_TEACHER,),
        feeding="teacher_vector",
        evaluator="MSEEvaluator",
        expect="The second text must be a translation of the first, or mean the same; the teacher must embed as many "
        "dimensions as the base model.",
        source="Reimers and Gurevych 2020, arXiv:2004.09813",
    ),
)

_DIMENSIONS = (
    LossParameter("matryoshka_dims", "matryoshka_dims", ""),
    LossParameter("matryoshka_weights", "matryoshka_weights", ""),
)
_LAYERS = (
    LossParameter("layers_per_step", "n_layers_per_step", 1),
    LossParameter("prior_layers_weight", "prior_layers_weight", 1.0),
    LossParameter("kl_weight", "kl_div_weight", 1.0),
    LossParameter("layer_weighting", "layer_weighting", "uniform"),
)

MODIFIERS = (
    Modifier("none", "None", "The loss as it is."),
    Modifier(
        "Matryoshka",
        "Matryoshka: shorter embeddings",
        "The first numbers of an embedding alone are useful too: search with 64 of 384 takes a sixth of the memory.",
        (*_DIMENSIONS, LossParameter("dims_per_step", "n_dims_per_step", "all")),
        cuts_dimensions=True,
        source="Kusupati et al. 2022, arXiv:2205.13147",
    ),
    Modifier(
        "AdaptiveLayer",
        "Adaptive layers: fewer layers",
        "The model stays useful when its last layers are removed, which makes it faster.",
        _LAYERS,
        cuts_layers=True,
        source="Li et al. 2024, arXiv:2402.14776",
    ),
    Modifier(
        "Matryoshka2d",
        "Matryoshka 2D: shorter embeddings and fewer layers",
        "Both at once: embeddings can be cut short and last layers be removed.",
        (*_DIMENSIONS, LossParameter("dims_per_step", "n_dims_per_step", 1), *_LAYERS),
        cuts_dimensions=True,
        cuts_layers=True,
        source="Li et al. 2024, arXiv:2402.14776",
    ),
)

LOSS = {record.id: record for record in LOSSES}
MODIFIER = {record.id: record for record in MODIFIERS}
FEEDING = {record.id: record for record in FEEDINGS}
NEED = {record.id: record for record in NEEDS}
SAMPLER = {record.id: record for record in SAMPLERS}
LOSS_NAMES = {name.lower(): loss.id for loss in LOSSES for name in (loss.id, loss.id.removesuffix("Loss"), loss.label)}
"""A loss may be named by its class, with or without "Loss", or by its label, in any case."""
