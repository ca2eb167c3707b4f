import numpy as np
import pytest
from sentence_transformers.sentence_transformer.evaluation import (
    BinaryClassificationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    TripletEvaluator,
)
from sentence_transformers.util import pairwise_cos_sim

from studio.evaluation.intervals import _STATISTICS, _mean
from studio.evaluation.measure import measure
from studio.evaluation.task import make_task

pytestmark = pytest.mark.model
EVERY = np.arange(400)


@pytest.mark.parametrize("format", ["pair", "triplet", "scored_pair", "labelled_pair", "classed_text"])
def test_what_intervals_are_made_of_gives_the_evaluators_own_figure(
    request, static_model, format, banking, triplets, scored, labelled
):
    classed = banking.rename_columns(["text", "class", "row"])
    tables = {"pair": banking, "triplet": triplets, "scored_pair": scored, "labelled_pair": labelled}
    task = make_task(tables.get(format, classed), format, EVERY)
    measured = measure(static_model, task)
    assert set(measured.metrics) == set(task.metric_ids)
    for metric, figure in measured.metrics.items():
        n = len(measured.values.get(metric, task.anchors))
        once_each = _STATISTICS.get(metric, _mean)(np.ones((1, n)), task, metric, measured)
        assert once_each[0] == pytest.approx(figure, abs=1e-6), metric


def test_retrieval_agrees_with_the_evaluator_on_the_model_itself(static_model, banking):
    task = make_task(banking, "pair", EVERY, "answers")
    search = task.retrieval
    plain = InformationRetrievalEvaluator(
        {str(i): t for i, t in enumerate(search.queries)},
        {str(i): t for i, t in enumerate(search.corpus)},
        {str(i): {str(j) for j in r} for i, r in enumerate(search.relevant)},
        write_csv=False,
    )(static_model)
    measured = measure(static_model, task)
    assert set(measured.metrics) == {"ndcg@10", "mrr@10", "accuracy@1", "recall@10", "map@100"}
    for metric, figure in measured.metrics.items():
        assert figure == pytest.approx(plain[f"cosine_{metric}"], abs=1e-6), metric


def test_scored_pairs_get_the_similarity_evaluators_correlations(static_model, scored):
    columns = [scored[name].to_pylist() for name in ("anchor", "positive", "score")]
    plain = EmbeddingSimilarityEvaluator(*columns, main_similarity="cosine", write_csv=False)(static_model)
    measured = measure(static_model, make_task(scored, "scored_pair", EVERY))
    assert set(measured.metrics) == {"spearman", "pearson"}
    for metric, figure in measured.metrics.items():
        assert figure == pytest.approx(plain[f"{metric}_cosine"], abs=1e-6), metric


def test_labelled_pairs_get_the_classification_evaluators_figures(static_model, labelled):
    columns = [labelled[name].to_pylist() for name in ("anchor", "positive", "label")]
    plain = BinaryClassificationEvaluator(*columns, similarity_fn_names=["cosine"], write_csv=False)(static_model)
    measured = measure(static_model, make_task(labelled, "labelled_pair", EVERY))
    names = {"average_precision": "cosine_ap", "accuracy": "cosine_accuracy", "f1": "cosine_f1"}
    assert set(measured.metrics) == set(names)
    for metric, figure in measured.metrics.items():
        assert figure == pytest.approx(plain[names[metric]], abs=1e-6), metric


def test_one_negative_gives_the_triplet_evaluators_accuracy(static_model, triplets):
    data = triplets.drop_columns(["negative_2"]).rename_columns(["anchor", "positive", "negative", "row"])
    columns = [data[name].to_pylist() for name in ("anchor", "positive", "negative")]
    plain = TripletEvaluator(*columns, main_similarity_function="cosine", write_csv=False)(static_model)
    measured = measure(static_model, make_task(data, "triplet", EVERY))
    assert measured.metrics["triplet_accuracy"] == pytest.approx(plain["cosine_accuracy"], abs=1e-6)


def test_a_row_with_several_negatives_counts_when_the_positive_beats_all(static_model, triplets):
    task = make_task(triplets, "triplet", EVERY)
    names = ("anchor", "positive", "negative_1", "negative_2")
    anchor, positive, one, two = (static_model.encode(triplets[n].to_pylist(), convert_to_tensor=True) for n in names)
    right = pairwise_cos_sim(anchor, positive)
    expected = (right > pairwise_cos_sim(anchor, one)) & (right > pairwise_cos_sim(anchor, two))
    measured = measure(static_model, task)
    assert measured.metrics["triplet_accuracy"] == pytest.approx(expected.float().mean().item(), abs=1e-6)
    assert 0.2 < measured.metrics["triplet_accuracy"] < 0.99


def test_every_text_is_embedded_once(static_model, triplets, monkeypatch):
    seen = []
    encode = static_model.encode
    monkeypatch.setattr(static_model, "encode", lambda texts, **kwargs: seen.extend(texts) or encode(texts, **kwargs))
    task = make_task(triplets, "triplet", EVERY)
    measure(static_model, task)
    assert sorted(seen) == sorted(task.texts)


def test_rows_with_one_score_or_one_label_define_no_metric(static_model, scored, labelled):
    same = np.flatnonzero(scored["score"].to_numpy() == 1.0)
    assert measure(static_model, make_task(scored, "scored_pair", same)).metrics == {}
    assert measure(static_model, make_task(labelled, "labelled_pair", same)).metrics == {}


def test_one_held_out_row_can_be_measured(static_model, banking, triplets, scored, labelled):
    for format, data in (("pair", banking), ("triplet", triplets)):
        metrics = measure(static_model, make_task(data, format, np.array([3]))).metrics
        assert all(np.isfinite(value) for value in metrics.values())
        assert metrics
    for format, data in (("scored_pair", scored), ("labelled_pair", labelled)):
        assert measure(static_model, make_task(data, format, np.array([3]))).metrics == {}


def test_a_stop_request_ends_measuring_between_portions(static_model, banking):
    class Stop(Exception):
        pass

    def tick():
        raise Stop

    with pytest.raises(Stop):
        measure(static_model, make_task(banking, "pair", EVERY), tick=tick)


def test_only_the_final_figures_reach_the_models_card(static_model, banking, monkeypatch):
    monkeypatch.setattr(static_model.model_card_data, "eval_results_dict", {})
    task = make_task(banking, "pair", np.arange(20))
    measure(static_model, task)
    assert static_model.model_card_data.eval_results_dict == {}
    measure(static_model, task, record=True)
    assert len(static_model.model_card_data.eval_results_dict) == 1
