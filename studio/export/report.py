"""A run, or several side by side, as one HTML file: plots inside, no script, nothing asked of any network, fit to print.

All that people or their files say goes through :func:`studio.export.svg.text`. The file forbids itself to load anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio import __version__
from studio.catalog.findings import KIND
from studio.catalog.formats import FORMAT
from studio.catalog.metrics import METRIC
from studio.catalog.models import MODEL
from studio.compare.comparison import Comparison, Group
from studio.compare.curves import curves
from studio.compare.facts import RunFacts
from studio.evaluation.evidence import load_slices
from studio.evaluation.lookup import Evidence, largest
from studio.evaluation.result import MetricResult, OtherResult
from studio.export.svg import Interval, Series, interval_chart, line_chart, text
from studio.files import read_json
from studio.training.words import settings_in_words

CSS = Path(__file__).with_name("report.css")
OUTCOMES = {"better": "Better", "worse": "Worse", "no_difference": "No clear difference"}
LONGEST_TEXT = 300
MOST_EXAMPLES = 10
"""In each direction."""
MOST_PARTS = 16


@dataclass(frozen=True)
class Report:
    name: str
    """What it is about."""
    html: str


def report_of_run(run: RunFacts, with_rows: bool = True) -> Report:
    """Everything that a reviewer asks of one run, whatever became of it. ``with_rows``: with the texts of rows won and lost."""
    parts = [
        _heading(run),
        _verdict(run),
        _metrics(run),
        _forgotten(run),
        _curves(run),
        _parts(run),
        _examples(run, with_rows),
        _data(run),
        _held_out(run),
        _settings(run),
        _versions(run),
    ]
    return Report(run.name, _page(run.name, parts))


def report_of_comparison(comparison: Comparison) -> Report:
    """Several runs: what it comes to, the rankings, what differs, the curves."""
    names = [run.name for run in comparison.runs]
    title = f"{len(names)} runs compared"
    colours = {run.id: number for number, run in enumerate(comparison.runs)}
    parts = [
        f"<h1>{text(title)}</h1><p class=soft>{text(', '.join(names))}</p>",
        _box("", "", comparison.sentences[0]) + "".join(f"<p>{text(one)}</p>" for one in comparison.sentences[1:]),
        *(_group(group, comparison, colours) for group in comparison.groups),
        _not_ranked(comparison),
        _differing(comparison),
        _overlaid(comparison, colours),
    ]
    return Report(title, _page(title, parts))


# One run


def _heading(run: RunFacts) -> str:
    tags = "".join(f'<span class="tag">{text(tag)}</span>' for tag in run.tags)
    about = f"{run.base}, trained on {run.dataset} ({run.info.rows:,} rows)"
    notes = f'<p class="notes">{text(run.notes)}</p>' if run.notes else ""
    return f"<h1>{text(run.name)}</h1><p class=soft>{text(about)}</p>{f'<p>{tags}</p>' if tags else ''}{notes}"


def _verdict(run: RunFacts) -> str:
    verdict = run.verdict
    if verdict is None:
        said = {"failed": "This run failed.", "cancelled": "This run was stopped."}.get(
            run.state, "This run is not done."
        )
        return _box("", "Not judged", f"{said} {run.message}".strip())
    early = f"<p class=soft>{text(run.message)}</p>" if run.message and run.message != verdict.sentence else ""
    advice = "".join(f"<li>{text(one)}</li>" for one in verdict.advice)
    box = _box(verdict.outcome, OUTCOMES[verdict.outcome], verdict.sentence)
    return box + early + (f"<ul>{advice}</ul>" if advice else "")


def _metrics(run: RunFacts) -> str:
    if run.verdict is None or not run.verdict.metrics:
        return ""
    body = "".join(
        f'<tr class="{"main" if m.id == run.verdict.primary else ""}"><th scope=row>{_metric_name(m)}</th>{_values(m)}</tr>'
        for m in run.verdict.metrics
    )
    others = "".join(_other(one) for one in run.verdict.others)
    chart = interval_chart(
        [Interval(METRIC[m.id].label, m.tuned - m.base, m.low, m.high) for m in run.verdict.metrics if m.id in METRIC],
        "difference, tuned model less base model",
        "Differences between tuned and base model with 95 % intervals",
    )
    head = "<th>Metric</th><th>Base</th><th>Tuned</th><th>Difference (95 % interval)</th>"
    return (
        f"<h2>Base against tuned</h2><div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{_figure('How sure the differences are', chart)}{_keyword(run)}{others}"
        "<p class=fine>If the rows had been drawn again, a difference would lie in its interval 95 times of 100. An interval "
        "with zero in it says that chance may have made the difference.</p>"
    )


def _values(metric: MetricResult) -> str:
    change = f"<b>{metric.tuned - metric.base:+.4f}</b> <small>{metric.low:+.4f} to {metric.high:+.4f}</small>"
    return f"<td class=n>{metric.base:.4f}</td><td class=n>{metric.tuned:.4f}</td><td>{change}</td>"


def _metric_name(metric: MetricResult) -> str:
    known = METRIC.get(metric.id)
    return text(metric.id) if known is None else f'<span title="{text(known.help)}">{text(known.label)}</span>'


def _keyword(run: RunFacts) -> str:
    return f"<p>{text(run.verdict.keyword.sentence)}</p>" if run.verdict.keyword is not None else ""


def _other(one: OtherResult) -> str:
    m = one.metric
    said = (
        f"{one.name} trained along: {METRIC[m.id].label} {m.tuned:.4f}, was {m.base:.4f} ({m.low:+.4f} to {m.high:+.4f}, "
        f"{one.heldout_rows:,} held-out rows)."
    )
    return f"<p>{text(said)}</p>"


def _forgotten(run: RunFacts) -> str:
    general = None if run.verdict is None else run.verdict.general
    if general is None:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{text(part.label)}</th><td class=n>{part.questions:,}</td><td class=n>{part.base:.3f}</td>"
        f"<td class=n>{part.tuned:.3f}</td></tr>"
        for part in general.parts
    )
    head = "<th>Asked for</th><th class=n>Questions</th><th class=n>Base</th><th class=n>Tuned</th>"
    table = (
        f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>" if rows else ""
    )
    return f"<h2>What was forgotten</h2><p>{text(general.sentence)}</p>{table}"


def _curves(run: RunFacts) -> str:
    found = curves(run.folder)
    train, looks = found["train"], found["eval"]
    loss = line_chart(
        [
            Series("training", train["step"], train["loss"], 0),
            Series("held-out rows", looks["step"], looks["loss"], 1),
        ],
        "step", "loss", "Loss while training",
    )  # fmt: skip
    primary = found["primary"]
    metric = ""
    if primary in looks and primary in METRIC:
        series = [Series("while training", looks["step"], looks[primary], 0)]
        base = found["base"].get(primary)
        if base is not None and looks["step"]:
            series.append(Series("base model", [0, found["steps"] or looks["step"][-1]], [base, base], 7, dashed=True))
        metric = line_chart(series, "step", METRIC[primary].label, f"{METRIC[primary].label} while training")
    if not loss and not metric:
        return ""
    title = f"{METRIC[primary].label} of held-out rows that were looked at meanwhile" if metric else ""
    return f"<h2>Curves</h2>{_figure('Loss', loss)}{_figure(title, metric)}"


def _examples(run: RunFacts, with_rows: bool) -> str:
    if run.verdict is None:
        return ""
    if with_rows and (run.folder.evidence / "meta.json").is_file():
        evidence = Evidence(run.folder.evidence)
        won, lost = largest(evidence, MOST_EXAMPLES)
        lists = _rows_of("Where it won most", won, evidence) + _rows_of("Where it lost most", lost, evidence)
        return f"<h2>Wins and losses</h2>{_counts(evidence)}{lists}"
    lists = (("Questions that it now gets right", run.verdict.now_right),)
    lists += (("Questions that it now gets wrong", run.verdict.now_wrong),)
    said = "".join(
        f"<h3>{title}</h3><ul>{''.join(f'<li>{text(one, LONGEST_TEXT)}</li>' for one in queries)}</ul>"
        for title, queries in lists
        if queries
    )
    return f"<h2>Wins and losses</h2>{said}" if said else ""


def _counts(evidence: Evidence) -> str:
    counts = evidence.counts
    said = f"Of {counts['all']:,} held-out rows {counts['better']:,} went better, {counts['worse']:,} worse"
    doubt = f"; the labels of {counts['doubt']:,} look doubtful" if counts["doubt"] else ""
    return f"<p>{text(f'{said}{doubt}.')}</p>"


def _rows_of(title: str, rows: Sequence[dict[str, Any]], evidence: Evidence) -> str:
    if not rows:
        return f"<h3>{title}</h3><p class=soft>Nowhere.</p>"
    by = evidence.meta.by
    label = METRIC[by].label if by in METRIC else by.capitalize()
    body = "".join(
        f"<tr><td>{text(row['anchor'], LONGEST_TEXT)}</td><td>{text(' | '.join(row['positive']), LONGEST_TEXT)}</td>"
        f"<td class=n>{row['base'][by]:.3f}</td><td class=n>{row['tuned'][by]:.3f}</td></tr>"
        for row in rows
    )
    beside = "Right text" if rows[0]["target"] is None else "Second text"
    head = f"<th>Text</th><th>{beside}</th><th class=n>{text(label)}, base</th><th class=n>tuned</th>"
    return f"<h3>{title}</h3><div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _parts(run: RunFacts) -> str:
    """Parts of the rows on which tuned and base model can be told apart, and how many others there are."""
    found, unclear = [], 0
    for slices in load_slices(run.folder.evidence):
        for part in slices.parts:
            metric = (
                run.verdict.primary
                if run.verdict and run.verdict.primary in part.metrics
                else next(iter(part.metrics), "")
            )
            if part.few or not metric:
                continue
            base, tuned, low, high = part.metrics[metric]
            if low <= 0 <= high:
                unclear += 1
                continue
            found.append(Interval(f"{slices.by}: {part.value} ({part.rows:,} rows)", tuned - base, low, high))
    if not found:
        return ""
    chart = interval_chart(found[:MOST_PARTS], "difference, tuned less base", "Differences on parts of the rows")
    more = f"<p class=fine>On {unclear} other parts no difference can be told.</p>" if unclear else ""
    return f"<h2>Where it changed</h2>{_figure('Parts of the held-out rows, by length, language and columns', chart)}{more}"


def _data(run: RunFacts) -> str:
    info = run.info
    facts = [
        ("Dataset", run.dataset),
        ("File", info.file_name),
        ("Rows", f"{info.rows:,}"),
        ("Format", FORMAT[info.format].label),
        *((role.capitalize(), f"column '{column}'") for role, column in info.roles.items()),
    ]
    if info.corpus_rows:
        facts.append(("Documents to search", f"{info.corpus_rows:,}"))
    if info.skipped:
        facts.append(("Rows that could not be read", f"{info.skipped:,}"))
    left = "".join(f"<li>{count:,} rows left out: {text(reason)}</li>" for reason, count in info.dropped.items())
    done = "".join(f"<li>{text(one)}</li>" for one in info.history)
    matter = [finding for finding in info.findings if finding.severity != "info"]
    found = "".join(
        f"<li>{text(KIND[f.code].label + ': ' if f.code in KIND else '')}{text(f.message)}</li>" for f in matter
    )
    said = f"<ul>{found}</ul>" if found else "<p>The check found nothing that stands in the way of training.</p>"
    hints = len(info.findings) - len(matter)
    more = f"<p class=fine>{hints} hint{'s' if hints != 1 else ''} of the check are not listed.</p>" if hints else ""
    return (
        f"<h2>Data</h2>{_list(facts)}{f'<ul>{left}</ul>' if left else ''}"
        f"{f'<h3>What was done to the rows</h3><ol>{done}</ol>' if done else ''}<h3>What the check found</h3>{said}{more}"
    )


def _held_out(run: RunFacts) -> str:
    split, verdict = read_json(run.folder.split, {}), run.verdict
    if verdict is None and not split:
        return ""
    counts = [(name, len(split.get(part, []))) for name, part in (("Train", "train"), ("Choose", "validation"))]
    facts = [(name, f"{count:,} rows") for name, count in counts if count]
    heldout = verdict.heldout_rows if verdict else len(split.get("heldout", []))
    judged_on = verdict.judged_on if verdict else ""
    facts.append(("Judge", f"{heldout:,} rows of {judged_on}" if judged_on else f"{heldout:,} held-out rows"))
    if verdict is not None and verdict.corpus_size:
        facts.append(("Searched", f"{verdict.corpus_size:,} texts a question"))
    said = [verdict.split_note, verdict.note] if verdict else [split.get("note", "")]
    return f"<h2>How held-out rows were kept apart</h2>{_list(facts)}{''.join(f'<p>{text(one)}</p>' for one in said if one)}"


def _settings(run: RunFacts) -> str:
    return f'<h2 class="page">Settings</h2>{_list(settings_in_words(run.config, run.base))}'


def _versions(run: RunFacts) -> str:
    made = read_json(run.folder.model / "config_sentence_transformers.json", {}).get("__version__", {})
    studio = read_json(run.folder.model / "studio.json", {}).get("studio", __version__)
    facts = [("Sentence Studio", studio)]
    names = {"sentence_transformers": "sentence-transformers", "transformers": "transformers", "pytorch": "PyTorch"}
    facts += [(label, made[name]) for name, label in names.items() if name in made]
    if run.seconds:
        facts.append(("Took", f"{run.seconds / 60:.1f} minutes" if run.seconds >= 90 else f"{run.seconds:.0f} seconds"))
    if run.config.base_model in MODEL:
        facts.append(("Licence of the base model", MODEL[run.config.base_model].licence))
    return f"<h2>Versions</h2>{_list(facts)}"


# Several runs


def _group(group: Group, comparison: Comparison, colours: dict[str, int]) -> str:
    runs = {run.id: run for run in comparison.runs}
    label = METRIC[group.metric].label
    rows = []
    for one in group.standings:
        change = (
            "" if one.change is None else f"<b>{one.change:+.4f}</b> <small>{one.low:+.4f} to {one.high:+.4f}</small>"
        )
        apart = "" if one.name == group.against else f"<b>{one.difference:+.4f}</b> "
        if one.interval is not None:
            apart += f"<small>{one.interval.low:+.4f} to {one.interval.high:+.4f}</small>"
        elif apart:
            apart += "<small>interval not known</small>"
        kind = "base" if one.run is None else "main" if one.place == 1 else ""
        rows.append(
            f'<tr class="{kind}"><td class=n>{one.place}</td><th scope=row>{text(one.name)}</th><td class=n>{one.value:.4f}</td>'
            f"<td>{change}</td><td>{apart}</td></tr>"
        )
    head = "".join(
        f"<th>{text(title)}</th>" for title in ("", "Model", label, "To its base model", f"To {group.against}")
    )
    searched = f", each searched in {group.searched:,} texts" if group.searched else ""
    told = [runs[id] for id in group.runs]
    chart = interval_chart(
        [
            Interval(run.name, run.primary.tuned - run.primary.base, run.primary.low, run.primary.high, colours[run.id])
            for run in told
        ],
        f"difference in {label} to each run's base model",
        "Differences of each run to its base model with 95 % intervals",
    )
    return (
        f"<h2>Ranking: {text(group.dataset)}</h2><p class=soft>{text(f'{group.heldout_rows:,} held-out rows{searched}.')}</p>"
        f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"{_figure('Against the base model', chart)}{_all_metrics(group, told)}"
    )


def _all_metrics(group: Group, runs: Sequence[RunFacts]) -> str:
    labels = [METRIC[id].label if id in METRIC else id for id in group.metrics]
    rows = []
    for run in runs:
        values = [run.metric(id) for id in group.metrics]
        cells = "".join(f"<td class=n>{'' if value is None else f'{value.tuned:.4f}'}</td>" for value in values)
        rows.append(f"<tr><th scope=row>{text(run.name)}</th>{cells}</tr>")
    head = "".join(f"<th class=n>{text(label)}</th>" for label in labels)
    return (
        f"<h3>All metrics</h3><div class=scroll><table><thead><tr><th>Run</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _not_ranked(comparison: Comparison) -> str:
    names = {run.id: run.name for run in comparison.runs}
    said = "".join(f"<li><b>{text(names[id])}</b>: {text(why)}</li>" for id, why in comparison.left.items())
    return f"<h2>Not ranked with the first</h2><ul>{said}</ul>" if said else ""


def _differing(comparison: Comparison) -> str:
    if not comparison.settings:
        return "<h2>Settings</h2><p>All settings of these runs are the same.</p>"
    head = "".join(f"<th>{text(run.name)}</th>" for run in comparison.runs)
    rows = "".join(
        f"<tr><th scope=row>{text(label)}</th>{''.join(f'<td>{text(value)}</td>' for value in values)}</tr>"
        for label, values in comparison.settings
    )
    return (
        f'<h2 class="page">Settings that differ</h2><div class=scroll><table><thead><tr><th>Setting</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div><p class=fine>{comparison.alike} other settings are the same in all of them.</p>"
    )


def _overlaid(comparison: Comparison, colours: dict[str, int]) -> str:
    found = {run.id: curves(run.folder) for run in comparison.runs}
    loss = [
        Series(r.name, found[r.id]["train"]["step"], found[r.id]["train"]["loss"], colours[r.id])
        for r in comparison.runs
    ]
    figures = [_figure("Training loss", line_chart(loss, "step", "loss", "Training loss of each run"))]
    for metric in dict.fromkeys(one["primary"] for one in found.values() if one["primary"] in METRIC):
        series = [
            Series(run.name, found[run.id]["eval"]["step"], found[run.id]["eval"][metric], colours[run.id])
            for run in comparison.runs
            if metric in found[run.id]["eval"]
        ]
        label = METRIC[metric].label
        figures.append(_figure(f"{label} meanwhile", line_chart(series, "step", label, f"{label} of each run")))
    return f"<h2>Curves</h2>{''.join(figures)}" if any(figures) else ""


# Pieces


def _page(title: str, parts: Iterable[str]) -> str:
    now = datetime.now(UTC).strftime("%-d %B %Y, %H:%M UTC")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>{text(title)} - report</title><style>\n{CSS.read_text(encoding='utf-8')}</style></head><body><main>\n"
        + "\n".join(part for part in parts if part)
        + f"\n<footer>Made with Sentence Studio {text(__version__)}, {now}.</footer></main></body></html>\n"
    )


def _box(kind: str, label: str, sentence: str) -> str:
    return f'<div class="verdict {text(kind)}">{f"<b>{text(label)}</b>" if label else ""}<p>{text(sentence)}</p></div>'


def _list(facts: Iterable[Sequence[Any]]) -> str:
    return f"<dl>{''.join(f'<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>' for name, value in facts)}</dl>"


def _figure(title: str, chart: str) -> str:
    return f"<figure><figcaption>{text(title)}</figcaption>{chart}</figure>" if chart else ""
