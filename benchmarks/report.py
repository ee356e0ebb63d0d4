"""What came out, as JSON for machines and as a table for people."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measures import Value, Values

Results = Mapping[str, Values]
"""Server -> measure -> figure."""


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory MiB": memory >> 20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load average": os.getloadavg()[0],
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def as_json(results: Results) -> dict[str, dict[str, object]]:
    """All figures with what they were made from."""
    return {
        server: {
            measure: {"value": value.value, "unit": value.unit, "reason": value.reason, "detail": dict(value.detail)}
            for measure, value in values.items()
        }
        for server, values in results.items()
    }


def factors(results: Results) -> dict[str, dict[str, float]]:
    """How many times better the first server is than each other: other -> measure -> factor."""
    first, *others = results
    return {
        other: {
            measure: factor
            for measure, value in results[first].items()
            if (factor := _factor(value, results[other].get(measure))) is not None
        }
        for other in others
    }


def _factor(ours: Value, theirs: Value | None) -> float | None:
    if theirs is None or not ours.value or not theirs.value:
        return None
    return ours.value / theirs.value if ours.higher_is_better else theirs.value / ours.value


def table(results: Results) -> str:
    """A Markdown table, a line a measure, with the factors; below it, why figures are missing."""
    first, *others = results
    better = factors(results)
    heads = ["measure", "unit", *results, *(f"{first} better than {other}" for other in others)]
    measures = list(dict.fromkeys(measure for values in results.values() for measure in values))
    rows = [
        [
            measure,
            next(values[measure].unit for values in results.values() if measure in values),
            *(_figure(values.get(measure)) for values in results.values()),
            *(f"{better[other][measure]:.3g} x" if measure in better[other] else "-" for other in others),
        ]
        for measure in measures
    ]
    reasons = dict.fromkeys(
        f"{server}, {measure}: {value.reason}"
        for server, values in results.items()
        for measure, value in values.items()
        if value.reason
    )
    return "\n".join([*_aligned([heads, *rows]), *(("", *reasons) if reasons else ())])


def _figure(value: Value | None) -> str:
    if value is None or value.value is None:
        return "-"
    return f"{value.value:,.0f}" if value.value >= 100 else f"{value.value:.3g}"  # noqa: PLR2004 - three digits


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    ruler = "|" + "|".join("-" * (width + 1) + ("-" if at == 0 else ":") for at, width in enumerate(widths)) + "|"
    return [lines[0], ruler, *lines[1:]]
