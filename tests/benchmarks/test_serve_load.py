"""A short run of the load on `serve`: nothing honest is lost, nothing is left over."""

from benchmarks.serve_load.run import run


def test_hostile_streams_do_not_disturb_honest_ones() -> None:
    result = run(streams=20, of_them_hostile=7, seconds=4.0, alone_s=1.5)
    checks = result["checks"]
    assert [c for c in checks if not c["met"] and not c["timing"]] == []
    assert result["delay_ms"]["beside"]["steps"] > 100
    assert len(result["attempts"]["attempts"]) >= 3
