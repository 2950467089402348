"""Whether two ways to run a recording say the same of it."""

import numpy as np

from ser_stream.pipeline.recording import Recording

EQUAL = 1e-4
"""Of scores: the same numbers, but for the order of sums."""


def assert_same(one: Recording, other: Recording) -> None:
    """Same samples, steps, speech, speakers and emotions; scores but for rounding."""
    for name in ("n_samples", "short", "speech_s", "heard_s", "speakers"):
        assert getattr(one, name) == getattr(other, name), name
    assert len(one.predictions) == len(other.predictions)
    exact = ["start", "end", "state", "label", "columns", "max_columns", "labels"]
    exact.append("speaker")
    for p, q in zip(one.predictions, other.predictions, strict=True):
        assert [getattr(p, n) for n in exact] == [getattr(q, n) for n in exact]
        np.testing.assert_allclose(p.level_dbfs, q.level_dbfs, atol=1e-9)
        assert p.peak_dbfs == q.peak_dbfs
        assert (p.scores is None) == (q.scores is None)
        if p.scores is not None and q.scores is not None:
            np.testing.assert_allclose(p.scores, q.scores, rtol=0, atol=EQUAL)
        assert (p.familiarity is None) == (q.familiarity is None)
        if p.familiarity is not None and q.familiarity is not None:
            np.testing.assert_allclose(p.familiarity, q.familiarity, atol=EQUAL)
    told = ("phase", "id", "label", "start", "end", "speaker")
    assert [(t.at, *(getattr(t.event, n) for n in told)) for t in one.told] == [
        (t.at, *(getattr(t.event, n) for n in told)) for t in other.told
    ]
    for t, u in zip(one.told, other.told, strict=True):
        np.testing.assert_allclose(
            t.event.confidence, u.event.confidence, rtol=0, atol=EQUAL
        )
