"""Writes test/bench/statistics-reference.json: what numpy and scipy compute of recorded samples,
beside which test/bench/ holds src/bench/'s statistics. Written without a look at them: windows and
rates by counting, not by sweeping.
    python3 tools/bench/statistics_reference.py      (numpy 2.4.6, scipy 1.17.1)
"""

import json
import pathlib

import numpy as np
from scipy import stats

PERCENTS = {"p1": 1, "p5": 5, "p10": 10, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p95": 95, "p99": 99, "p999": 99.9}
SLO = {"ttftMs": 60.0, "itlMs": 14.0}
STREAMS = 4


def distribution(values):
    if len(values) == 0:
        return None
    return {
        "count": len(values),
        "mean": float(np.mean(values)),
        "min": float(np.min(values)),
        **dict(zip(PERCENTS, np.percentile(values, list(PERCENTS.values())).tolist())),
        "max": float(np.max(values)),
    }


def interval(values):
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    return {"mean": float(np.mean(values)), "low": float(low), "high": float(high)}


def welch(first, second):
    test = stats.ttest_ind(second, first, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return {
        "first": first,
        "second": second,
        "difference": float(np.mean(second) - np.mean(first)),
        "low": float(low),
        "high": float(high),
        "p": float(test.pvalue),
    }


def pairs(random):
    for sizes, scale, shift in [((2, 2), 1, 3), ((3, 3), 1, 0), ((3, 5), 4, 6), ((12, 40), 2, 0.2), ((4, 4), 0.01, 5)]:
        yield [
            (100 + shift * side + scale * (1 + side) * random.standard_normal(size)).tolist()
            for side, size in enumerate(sizes)
        ]


def closed_loop(random):
    """Requests of four streams, the first of each for warming up, two of them failed."""
    records = []
    for stream in range(STREAMS):
        now = 1000.0 + stream * 0.25
        for turn in range(9):
            due = now
            sent = due + random.exponential(0.3)
            tokens = int(random.integers(1, 24))
            first = sent + random.gamma(9, 5)
            arrivals = first + np.concatenate([[0.0], np.cumsum(random.gamma(16, 0.6, tokens - 1))])
            end = float(arrivals[-1]) + random.exponential(0.5)
            failed = (stream, turn) in {(1, 4), (3, 6)}
            records.append({
                "isWarmup": turn == 0,
                "dueMs": due,
                "sentMs": sent,
                "endMs": end,
                "arrivalsMs": arrivals.tolist(),
                "clientTokens": tokens,
                "queueMs": None,
                "engineFirstTokenMs": None,
                "usage": None if failed else {
                    "promptTokens": int(random.integers(10, 90)),
                    "cachedPromptTokens": int(random.integers(0, 10)),
                    "completionTokens": tokens,
                },
                "outcome": {"type": "failed", "errorClass": "http-503", "sentence": "status 503"}
                if failed
                else {"type": "finished", "finishReason": "length"},
            })
            now = end + random.exponential(0.05)
    return sorted(records, key=lambda record: record["endMs"])


def steady_window(records):
    """The window, by looking between all moments at which anything changes."""
    moments = sorted({time for record in records for time in (record["sentMs"], record["endMs"])})
    full = [
        (begin, end)
        for begin, end in zip(moments, moments[1:])
        if sum(r["sentMs"] < (begin + end) / 2 < r["endMs"] for r in records) >= 0.95 * STREAMS
    ]
    warm = max(record["endMs"] for record in records if record["isWarmup"])
    return max(warm, full[0][0]), full[-1][1]


def figures(records):
    begin, end = steady_window(records)
    seconds = (end - begin) / 1000
    inside = lambda time: begin <= time <= end
    whole = [r for r in records if r["outcome"]["type"] == "finished"]
    measured = [r for r in whole if not r["isWarmup"]]
    many = [r for r in measured if r["usage"]["completionTokens"] > 1]
    gaps = [np.diff(r["arrivalsMs"]) for r in measured]
    tpot = [(r["arrivalsMs"][-1] - r["arrivalsMs"][0]) / (r["usage"]["completionTokens"] - 1) for r in many]
    good = [
        r
        for r, own in zip(measured, gaps)
        if r["arrivalsMs"][0] - r["sentMs"] <= SLO["ttftMs"]
        and (len(own) == 0 or np.percentile(own, 99) <= SLO["itlMs"])
    ]
    grid = np.linspace(begin, end, 2_000_001)
    sent, ended = (np.sort([r[name] for r in records]) for name in ("sentMs", "endMs"))
    in_flight = np.searchsorted(sent, grid) - np.searchsorted(ended, grid)
    return {
        "durationMs": end - begin,
        "good": len(good),
        "throughput": {
            "outputTokensPerSecond": sum(inside(t) for r in whole for t in r["arrivalsMs"]) / seconds,
            "inputTokensPerSecond": sum(
                r["usage"]["promptTokens"] for r in whole if inside(r["arrivalsMs"][0])
            ) / seconds,
            "requestsPerSecond": sum(inside(r["endMs"]) for r in whole) / seconds,
            "goodRequestsPerSecond": sum(inside(r["endMs"]) for r in good) / seconds,
        },
        "meanInFlight": float(np.mean(in_flight)),
        "latency": {
            "ttftMs": distribution([r["arrivalsMs"][0] - r["sentMs"] for r in measured]),
            "arrivalTtftMs": distribution([r["arrivalsMs"][0] - r["dueMs"] for r in measured]),
            "tpotMs": distribution(tpot),
            "itlMs": distribution(np.concatenate(gaps)),
            "endToEndMs": distribution([r["endMs"] - r["sentMs"] for r in measured]),
            "lastTextMs": distribution([r["arrivalsMs"][-1] - r["sentMs"] for r in measured]),
            "queueMs": None,
            "userTokensPerSecond": distribution([1000 / each for each in tpot]),
        },
    }


def main():
    random = np.random.default_rng(20261130)
    samples = [
        [3.5],
        [2.0, 1.0],
        np.round(random.lognormal(3, 1, 7), 4).tolist(),
        np.round(random.lognormal(3, 1, 1001), 4).tolist(),
    ]
    records = closed_loop(random)
    shares = np.arange(0.02, 1, 0.02)
    reference = {
        "samples": [
            {
                "values": values,
                "distribution": distribution(values),
                "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
                "interval": interval(values) if len(values) > 1 else None,
            }
            for values in samples
        ],
        "studentQuantiles": stats.t.ppf(0.975, np.arange(1, 201)).tolist(),
        "gaps": [
            {"shape": shape, "shares": shares.tolist(), "quantiles": stats.gamma.ppf(shares, shape, scale=1 / shape).tolist()}
            for shape in (0.2, 0.5, 1, 4)
        ],
        "normalQuantiles": {"shares": shares.tolist(), "quantiles": stats.norm.ppf(shares).tolist()},
        "welch": [welch(*pair) for pair in pairs(np.random.default_rng(52))],
        "tails": [
            {"t": t, "degrees": degrees, "p": float(2 * stats.t.sf(t, degrees)), "quantile": float(stats.t.ppf(0.975, degrees))}
            for t in (0.0, 0.3, 1.0, 2.5, 6.0, 40.0)
            for degrees in (1, 1.7, 2, 3.4, 9, 60.5, 900)
        ],
        "adjusted": [
            {"values": values, "adjusted": stats.false_discovery_control(values).tolist()}
            for values in ([0.2], [0.01, 0.02, 0.03, 0.5, 0.9], [0.04, 0.001, 0.04, 0.0004, 1.0, 0.3])
        ],
        "closedLoop": {"streams": STREAMS, "slo": SLO, "records": records, "figures": figures(records)},
    }
    path = pathlib.Path(__file__).parents[2] / "test/bench/statistics-reference.json"
    path.write_text(json.dumps(reference) + "\n")


main()
