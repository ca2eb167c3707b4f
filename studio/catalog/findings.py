"""What the data check can find: what each finding does to training, what to do, and the fixes that there are for it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FindingKind:
    code: str
    """Short and stable; what ``--do`` of the command line and a test name it by."""
    label: str
    """Headline, a few words."""
    effect: str
    """What it does to training: one or two sentences."""
    advice: str
    """What to do; empty: nothing."""
    group: str
    """``file`` (how the file became rows), ``rows``, ``texts``, ``values`` (scores and labels) or ``training`` (said of a
    config, beside the estimate)."""


@dataclass(frozen=True)
class FixKind:
    id: str
    """Code of the finding, with ``:variant`` behind it where there are several."""
    label: str
    """What a button says."""
    done: str
    """What the history says, with ``{rows}`` for the rows that changed or went."""

    @property
    def code(self) -> str:
        """Of the finding."""
        return self.id.partition(":")[0]


GROUPS = {
    "file": "How the file became rows",
    "rows": "Rows",
    "texts": "Texts",
    "values": "Scores and labels",
    "training": "Settings and data together, on the Train tab",
}

FINDINGS = (
    FindingKind(
        "no_format",
        "No two texts to learn from",
        "Nothing can be trained before the columns say what they are for.",
        "Choose a column for each role that is missing.",
        "file",
    ),
    FindingKind(
        "unusable_column",
        "A column that cannot be used",
        "Training would fail or learn nonsense.",
        "Choose another column, or correct its values in the file.",
        "file",
    ),
    FindingKind(
        "several_files",
        "Several tables as one",
        "All of them are trained on; rows are numbered on from table to table.",
        "",
        "file",
    ),
    FindingKind(
        "retrieval_set",
        "A retrieval set",
        "Queries and their right documents train as pairs; the result is judged by searching in all documents of the set.",
        "",
        "file",
    ),
    FindingKind(
        "one_of_several_tables",
        "One of several tables",
        "The other tables of the archive are not trained on.",
        "Choose another one as the sheet if this is not the one you mean.",
        "file",
    ),
    FindingKind(
        "cut_off",
        "The file was cut off",
        "The rows before the cut are used; those after it are missing.",
        "Upload the whole file again: an upload or download was probably interrupted.",
        "file",
    ),
    FindingKind(
        "skipped_rows",
        "Rows that could not be read",
        "They are not trained on.",
        "Correct these rows in the file, or go on without them.",
        "file",
    ),
    FindingKind(
        "repaired_rows",
        "Rows that were mended",
        "They are trained on as they were mended.",
        "Look at them in the preview.",
        "file",
    ),
    FindingKind(
        "done_to_rows",
        "Done to the rows",
        "Training sees the rows as they are after that.",
        "",
        "file",
    ),
    FindingKind(
        "empty_text",
        "Missing texts",
        "A row without one of its texts teaches nothing and is left out.",
        "Complete these rows in the file, or go on without them.",
        "file",
    ),
    FindingKind(
        "missing_score",
        "Missing scores",
        "A row without a score is left out.",
        "Complete these rows in the file, or go on without them.",
        "file",
    ),
    FindingKind(
        "missing_label",
        "Missing labels",
        "A row without a label is left out.",
        "Complete these rows in the file, or go on without them.",
        "file",
    ),
    FindingKind(
        "missing_class",
        "Missing classes",
        "A row without a class is left out.",
        "Complete these rows in the file, or go on without them.",
        "file",
    ),
    FindingKind(
        "unpaired_labels",
        "Pairs without a counterpart",
        "A triplet needs an anchor with a text labelled 1 and one labelled 0; rows without a counterpart are left out.",
        "Train on the labelled pairs instead if they are too many to lose.",
        "file",
    ),
    FindingKind(
        "neutral_labels",
        "Labels that say neither",
        "Such a pair says neither that its texts belong together nor that they do not: no loss for labelled pairs learns from it, and it is left out.",
        "To train on such pairs too, use the labels as classes of pairs (on the command line: --anchor, --positive and --class).",
        "file",
    ),
    FindingKind(
        "duplicate_rows",
        "The same row again",
        "Repeats are left out: a row counts once.",
        "",
        "file",
    ),
    FindingKind(
        "too_few_rows",
        "Too few rows",
        "A model learns little from so few rows, and the comparison on held-out rows will be a matter of chance.",
        "Bring more rows; some hundred are a good start.",
        "rows",
    ),
    FindingKind(
        "near_duplicates",
        "Near duplicates",
        "They count several times and teach little.",
        "Leave them out unless the small differences matter. Training keeps them on one side of the split either way.",
        "rows",
    ),
    FindingKind(
        "anchor_equals_positive",
        "Anchor and positive are equal",
        "Nothing is learnt from a text that belongs to itself.",
        "Leave these rows out, or check the choice of columns.",
        "rows",
    ),
    FindingKind(
        "positive_equals_negative",
        "Positive and negative are equal",
        "The model is told to bring the same text near and to push it away at once.",
        "Leave these rows out, or correct the negatives.",
        "rows",
    ),
    FindingKind(
        "anchor_equals_negative",
        "Anchor and negative are equal",
        "The model is told to push a text away from itself.",
        "Leave these rows out, or correct the negatives.",
        "rows",
    ),
    FindingKind(
        "one_anchor_only",
        "All anchors are the same",
        "The rows of a batch cannot be told apart, so nothing can be learnt.",
        "Choose another column as anchor.",
        "rows",
    ),
    FindingKind(
        "one_positive_only",
        "All positives are the same",
        "The rows of a batch cannot be told apart, so nothing can be learnt.",
        "Choose another column as positive.",
        "rows",
    ),
    FindingKind(
        "few_anchors",
        "Few different anchors",
        "A batch holds each of them once at most, so batches stay small whatever the batch size; ranking losses learn little from small batches.",
        "Bring rows with more different anchors if you can.",
        "rows",
    ),
    FindingKind(
        "few_positives",
        "Few different positives",
        "A batch holds each of them once at most, so batches stay small whatever the batch size; ranking losses learn little from small batches.",
        "Bring rows with more different positives if you can.",
        "rows",
    ),
    FindingKind(
        "repeated_anchors",
        "Anchors that repeat",
        "Two rows with the same anchor in one batch would take each other's positive for a wrong answer.",
        "Nothing: losses that use the batch get batches in which no text stands twice, chosen automatically.",
        "rows",
    ),
    FindingKind(
        "repeated_positives",
        "Positives that repeat",
        "Two rows with the same positive in one batch would take the right answer for a wrong one.",
        "Nothing: losses that use the batch get batches in which no text stands twice, chosen automatically.",
        "rows",
    ),
    FindingKind(
        "shared_texts",
        "Texts on both sides of the split",
        "The held-out rows share these texts with the training rows. The verdict says how well new texts are matched with known ones, and nothing of new ones on both sides.",
        "Nothing if the set is closed, as topics are; else bring rows with more different texts.",
        "rows",
    ),
    FindingKind(
        "swapped_columns",
        "Anchor and positive look swapped",
        "The anchor is what people will search with; training and the comparison on held-out rows ask with the anchors.",
        "Swap them unless this is what you mean.",
        "rows",
    ),
    FindingKind(
        "personal_data",
        "Personal data",
        "A model can give away what it was trained on, and whoever has the dataset reads it.",
        "Make sure that you may use these rows, mask the data ([e-mail], [phone], [card]), or leave the rows out.",
        "texts",
    ),
    FindingKind(
        "very_short_texts",
        "Very short texts",
        "There is hardly anything to learn from them.",
        "Check that this is the right column, or leave these rows out.",
        "texts",
    ),
    FindingKind(
        "very_long_texts",
        "Very long texts",
        "Models read only the first some hundred words; the rest is not seen.",
        "Cut such texts into passages if what matters stands further down.",
        "texts",
    ),
    FindingKind(
        "cut_texts",
        "Texts that are cut off",
        "What stands behind the limit is not seen by the model.",
        "Raise the longest text (max_seq_length) where the model allows it, or cut long texts into passages.",
        "texts",
    ),
    FindingKind(
        "broken_characters",
        "Broken characters",
        "The model reads signs that nobody types, and does not know the words that they stand in.",
        "Mend them, leave these rows out, or choose another encoding when the file is read.",
        "texts",
    ),
    FindingKind(
        "looks_like_numbers",
        "Numbers or ids instead of texts",
        "A model learns nothing from numbers and ids.",
        "Choose another column.",
        "texts",
    ),
    FindingKind(
        "same_beginning",
        "All texts begin alike",
        "The model learns these words as part of every text.",
        "Keep them only if texts begin like that in use too, as with the 'query: ' that some models ask for; else take them away.",
        "texts",
    ),
    FindingKind(
        "unknown_language",
        "A language that the model does not know",
        "The model sees such texts as strings of odd signs: it learns slowly and forgets others for it.",
        "Choose a base model that knows the language, or leave these rows out.",
        "texts",
    ),
    FindingKind(
        "several_languages",
        "Several languages",
        "The model learns each language from its own rows only, unless texts and their translations stand in one row.",
        "Nothing, if people will type all of them.",
        "texts",
    ),
    FindingKind(
        "translations",
        "Anchor and positive differ in language",
        "The model learns to place a text beside its counterpart in the other language.",
        "Nothing, if these are translations; the base model should know both languages.",
        "texts",
    ),
    FindingKind(
        "all_scores_equal",
        "All scores are equal",
        "There is no order to learn.",
        "Choose another column as score, or none to train on plain pairs.",
        "values",
    ),
    FindingKind(
        "score_scale",
        "The scale of the scores",
        "Scores are brought to 0 to 1, which the losses expect.",
        "",
        "values",
    ),
    FindingKind(
        "narrow_scores",
        "Scores that hardly differ",
        "Nearly all pairs count as equally similar, so there is little to learn, and the ranks that judge the result are a matter of chance.",
        "Check that this is the right column; add pairs that are clearly more or less similar.",
        "values",
    ),
    FindingKind(
        "contradictory_scores",
        "Contradictory scores",
        "The model is told two things of the same two texts.",
        "Keep their mean, or one of each.",
        "values",
    ),
    FindingKind(
        "labels_read_as",
        "How labels were read",
        "1 says that the texts belong together, 0 that they do not.",
        "If it is the other way round, write 1 and 0 into the file.",
        "values",
    ),
    FindingKind(
        "one_label_only",
        "Only one label",
        "The model needs pairs that belong together and pairs that do not.",
        "Add rows with the other label; where all are 1, take the label column away and train on plain pairs.",
        "values",
    ),
    FindingKind(
        "unbalanced_labels",
        "Unbalanced labels",
        "The model may learn to give all pairs the same similarity.",
        "Add rows with the rare label, or leave some of the others out.",
        "values",
    ),
    FindingKind(
        "contradictory_labels",
        "Contradictory labels",
        "The model is told two things of the same two texts.",
        "Leave these rows out, or keep one of each.",
        "values",
    ),
    FindingKind(
        "one_class_only",
        "Only one class",
        "There is nothing to tell apart.",
        "Choose another column as class, or none: the texts then train by themselves.",
        "values",
    ),
    FindingKind(
        "classes_too_small",
        "Classes that are too small",
        "A class is learnt by comparing its texts with each other: at least two classes need two texts each.",
        "Choose another column as class, or none.",
        "values",
    ),
    FindingKind(
        "many_classes",
        "Very many classes",
        "That looks more like texts or ids than like classes: little is learnt from classes of a text or two.",
        "Check the choice of columns.",
        "values",
    ),
    FindingKind(
        "rare_classes",
        "Classes with one row",
        "Nothing is learnt about a class from a single text.",
        "Bring more texts of it, or leave it out.",
        "values",
    ),
    FindingKind(
        "unbalanced_classes",
        "Unbalanced classes",
        "Batches hold classes in equal parts, so that most rows of the largest one are not seen in an epoch.",
        "Bring more rows of the others, or leave some of these out.",
        "values",
    ),
    FindingKind(
        "contradictory_classes",
        "Texts of several classes",
        "The model is told to bring a text near to others and to push it away from them at once.",
        "Keep one of each, or leave these rows out.",
        "values",
    ),
    FindingKind(
        "no_repeats_in_a_batch",
        "Batches without repeated texts",
        "The other rows of a batch serve as wrong answers, so no text may stand in a batch twice: batches are put together like that automatically.",
        "",
        "training",
    ),
    FindingKind(
        "small_batches",
        "Few wrong answers to learn from",
        "With this loss a row learns from the other rows of its batch: small batches teach little.",
        "Choose a larger batch size where the rows allow it.",
        "training",
    ),
    FindingKind(
        "rows_left_out",
        "Rows left out of an epoch",
        "Some texts stand in more rows than there are batches, and a batch takes each once; or one class is far larger than the others.",
        "Smaller batches leave out fewer rows; so do classes of more equal size.",
        "training",
    ),
    FindingKind(
        "few_steps",
        "Very few steps",
        "Each step moves the model a little; after so few it is nearly the base model.",
        "Choose more epochs, a smaller batch size, or bring more rows.",
        "training",
    ),
    FindingKind(
        "few_heldout",
        "Few held-out rows",
        "The verdict will hardly tell a difference from chance.",
        "Bring more rows, or hold out a larger share under More settings.",
        "training",
    ),
)  # fmt: skip

KIND = {kind.code: kind for kind in FINDINGS}

FIXES = (
    FixKind("near_duplicates", "Leave out near duplicates", "{rows} left out: near duplicates"),
    FixKind(
        "anchor_equals_positive",
        "Leave out rows whose texts are equal",
        "{rows} left out: anchor and positive were equal",
    ),
    FixKind(
        "positive_equals_negative",
        "Leave out rows whose negative is the positive",
        "{rows} left out: positive and negative were equal",
    ),
    FixKind(
        "anchor_equals_negative",
        "Leave out rows whose negative is the anchor",
        "{rows} left out: anchor and negative were equal",
    ),
    FixKind("swapped_columns", "Swap anchor and positive", "{rows} changed: anchor and positive were swapped"),
    FixKind("personal_data:mask", "Mask personal data", "{rows} changed: personal data masked"),
    FixKind("personal_data", "Leave out rows with personal data", "{rows} left out: personal data"),
    FixKind("very_short_texts", "Leave out very short texts", "{rows} left out: very short texts"),
    FixKind(
        "very_long_texts:passages",
        "Cut long positives into passages",
        "{rows} changed: long positives were cut into passages, one a row",
    ),
    FixKind("very_long_texts", "Leave out very long texts", "{rows} left out: very long texts"),
    FixKind("broken_characters:mend", "Mend broken characters", "{rows} changed: broken characters were mended"),
    FixKind("broken_characters", "Leave out broken texts", "{rows} left out: broken characters"),
    FixKind(
        "same_beginning",
        "Take the common beginning away",
        "{rows} changed: the beginning that all had was taken away",
    ),
    FixKind(
        "unknown_language",
        "Leave out rows in other languages",
        "{rows} left out: in a language that the model does not know",
    ),
    FixKind(
        "contradictory_scores",
        "Take the mean of contradictory scores",
        "{rows} left out: contradictory scores became their mean in one row",
    ),
    FixKind(
        "unbalanced_labels",
        "Keep four of the common label for each rare one",
        "{rows} left out by chance: labels were unbalanced",
    ),
    FixKind(
        "contradictory_classes",
        "Leave out texts of several classes",
        "{rows} left out: their text stood under several classes",
    ),
    FixKind("rare_classes", "Leave out classes with one row", "{rows} left out: the only ones of their class"),
    FixKind(
        "unbalanced_classes",
        "Keep ten times the middle class at most",
        "{rows} left out by chance: classes were unbalanced",
    ),
    FixKind(
        "contradictory_labels", "Leave out contradictory rows", "{rows} left out: their labels contradicted each other"
    ),
)

FIX_KIND = {fix.id: fix for fix in FIXES}
