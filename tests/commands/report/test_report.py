"""`ser-stream report`: what a file of events holds, and nothing else."""

import gzip
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ser_stream.commands.report.collect import Collector
from ser_stream.commands.report.day import Day
from ser_stream.commands.report.notes import ABROAD, notes
from ser_stream.commands.report.page import page
from ser_stream.commands.report.period import Period, moment
from ser_stream.commands.report.sums import as_json, sums
from ser_stream.commands.report.text import text
from ser_stream.errors import ConfigError, SourceError
from tests.helpers.paths import DATA, ROOT
from tests.helpers.program import ENVIRONMENT, error_line, run
from tests.helpers.recorded_events import recorded
from tests.helpers.running_daemon import running_daemon

T0 = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HERE = {**ENVIRONMENT, "TZ": "UTC"}
NUMBER = re.compile(r"\d+(?:[.:-]\d+)*")


def lines() -> list[dict[str, Any]]:
    """The minute's events, as if it had begun with the year."""
    said = [dict(message.fields) for message in recorded()]
    for m in said:
        if m["type"] == "hello":
            m["t0"] = at(0)
        elif "end_ms" in m:
            m["time"] = at(m["end_ms"] / 1000)
    return said


def at(seconds: float) -> str:
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat(timespec="milliseconds")


def shifted(said: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """The same from another start of the daemon, so much later."""
    moved = [dict(m) for m in said]
    for m in moved:
        if m["type"] == "hello":
            m |= {"stream": f"later {seconds}", "t0": at(seconds)}
        elif "end_ms" in m:
            m["time"] = at(seconds + m["end_ms"] / 1000)
    return moved


def day_of(
    said: list[Any], period: Period | None = None, source: str | None = None
) -> Day:
    collector = Collector(Day(period or Period()), source)
    for message in said:
        collector.take(message)
    return collector.finish("events.jsonl")


def status(seq: int, what: str, state: str, seconds: float) -> dict[str, Any]:
    event = {"type": "status", "seq": seq, "what": what, "state": state}
    return {**event, "detail": "", "time": at(seconds)}


def ends() -> list[dict[str, Any]]:
    return [m for m in lines() if m["type"] == "emotion" and m["phase"] == "end"]


def in_each(said: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds by label, from the ends of the emotions alone."""
    found: dict[str, float] = {}
    for m in said:
        seconds = (m["end_ms"] - m["start_ms"]) / 1000
        found[m["label"]] = found.get(m["label"], 0.0) + seconds
    return found


def test_the_time_in_each_emotion_is_that_of_the_events() -> None:
    found = sums(day_of(lines()))
    told = {label: share.seconds for label, share in found.shares.items()}
    assert told == pytest.approx(in_each(ends()), abs=0.005)
    assert sum(share.times for share in found.shares.values()) == len(ends())


def test_every_step_is_speech_or_none_and_the_rest_is_untold() -> None:
    said = lines()
    steps = [m for m in said if m["type"] == "prediction"]
    found = sums(day_of(said))
    assert found.states is not None
    for state, seconds in found.states.items():
        label = {"speech": None, "uncertain": "uncertain"}.get(state)
        fits = [
            m
            for m in steps
            if m["state"] == ("no_speech" if state == "no_speech" else "speech")
            and (state == "no_speech" or (m["label"] == "uncertain") == bool(label))
        ]
        assert seconds == pytest.approx(0.2 * len(fits), abs=0.01)
    assert found.untold == pytest.approx(0, abs=0.01)
    # Where ten steps are missing, two seconds are told to be untold.
    gap = [m for m in said if not (m["type"] == "prediction" and 90 < m["seq"] <= 100)]
    missing = len(said) - len(gap)
    assert missing > 5
    assert sums(day_of(gap)).untold == pytest.approx(0.2 * missing, abs=0.01)


def test_several_starts_of_a_daemon_add_up_and_what_lies_between_is_untold() -> None:
    said = [*lines(), *shifted(lines(), 600)]
    day = day_of(said)
    found = sums(day)
    once = in_each(ends())
    for label, share in found.shares.items():
        assert share.seconds == pytest.approx(2 * once[label], abs=0.01)
    assert len(day.runs) == 2
    assert "(licence MIT) in 2 runs, from" in text(day, found)
    assert found.untold == pytest.approx(600 - 59.6, abs=0.3)


def test_runs_at_the_same_time_leave_the_rest_untold() -> None:
    said = [*lines(), *shifted(lines(), 3), *shifted(lines(), 100)]
    assert sums(day_of(said)).untold == pytest.approx(100 - 62.6, abs=0.4)


def test_the_same_events_twice_count_once() -> None:
    twice, once = day_of([*lines(), *lines()]), day_of(lines())
    assert as_json(twice, sums(twice)) == as_json(once, sums(once))


def test_files_in_another_order_are_told_with_what_to_do(tmp_path: Path) -> None:
    said = lines()
    parts = [said[:100], said[200:], said[100:200]]
    path = write(tmp_path / "events.jsonl", [m for part in parts for m in part])
    done = run("report", path, "--json", environment=HERE)
    assert done.returncode == 0
    left_out = sum("seq" in m for m in parts[2])
    assert f"{left_out} events are left out" in error_line(done)
    assert "zcat $(ls -v events-*.gz)" in error_line(done)
    assert json.loads(done.stdout)["losses"]["out_of_order"] == left_out
    shown = run("report", path, environment=HERE).stdout.decode()
    assert re.search(rf"events out of order +{left_out}, left out", shown)
    # Doubles of what was counted are none.
    assert day_of([*said, *said[50:80], *said]).late == 0
    # Nor is it said of a period that has all.
    joined = [m for part in parts for m in part]
    assert day_of(joined, Period(T0 + 50, T0 + 60)).late == 0


def test_two_runs_without_hello_are_both_counted() -> None:
    said = [m for m in lines() if m["type"] != "hello"]
    later = [m for m in shifted(lines(), 600) if m["type"] != "hello"]
    day = day_of([*said, *later])
    assert (len(day.runs), day.late, day.damaged) == (2, 0, 0)
    once = in_each(ends())
    for label, share in sums(day).shares.items():
        assert share.seconds == pytest.approx(2 * once[label], abs=0.01)
    assert sums(day).untold == pytest.approx(600 - 59.6, abs=0.6)


def test_the_number_of_a_damaged_event_costs_none_of_those_behind_it() -> None:
    said = lines()
    begun = next(m for m in said if m["type"] == "emotion")
    day = day_of([*said[:50], {**begun, "seq": 9999, "confidence": 2}, *said[50:]])
    assert (day.damaged, day.late) == (1, 0)
    assert sums(day).shares == sums(day_of(said)).shares


def test_torn_lines_and_unknown_types_are_counted_and_left_out() -> None:
    strange = [{"type": "weather", "seq": 5}, {"type": "prediction"}, None]
    strange += [{"type": "emotion", "seq": 9999, "time": "noon"}, {"type": "hello"}]
    day = day_of([*lines(), *strange])
    assert day.damaged == 4
    assert day.unknown == {"weather": 1}
    assert sums(day).shares == sums(day_of(lines())).shares


def test_a_beginning_without_hello_and_an_emotion_without_end_are_told() -> None:
    said = [m for m in lines() if m["type"] != "hello"]
    cut = next(n for n, m in enumerate(said) if m.get("phase") == "end")
    told = day_of(said[:cut]).told
    assert [t.label for t in told] == [said[cut]["label"]]
    last = [m for m in said[:cut] if m["type"] == "emotion"][-1]
    assert told[0].end == pytest.approx(T0 + last["end_ms"] / 1000, abs=0.002)
    assert "heard what no hello among the events tells" in text(
        day_of(said), sums(day_of(said))
    )


def test_emotions_alone_tell_no_time_of_speech() -> None:
    said = [m for m in lines() if m["type"] in ("hello", "emotion")]
    found = sums(day_of(said))
    assert (found.states, found.untold) == (None, None)
    assert "there are no predictions" in text(day_of(said), found)
    assert as_json(day_of(said), found)["states"] is None


def test_since_and_until_cut_emotions_and_steps() -> None:
    period = Period(T0 + 20, T0 + 40)
    day = day_of(lines(), period)
    found = sums(day)
    assert found.states is not None
    assert sum(found.states.values()) == pytest.approx(20, abs=0.21)
    expected = sum(
        max(0.0, min(40, m["end_ms"] / 1000) - max(20, m["start_ms"] / 1000))
        for m in ends()
    )
    told = sum(share.seconds for share in found.shares.values())
    assert told == pytest.approx(expected, abs=0.01)
    assert all(T0 + 20 <= t.surest <= T0 + 40 for t in found.certain)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("2d", 172800), ("30min", 1800), ("1.5 h", 5400), ("90s", 90)],
)
def test_so_long_ago_is_counted_from_now(text: str, seconds: float) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    assert moment("--since", text, now) == now.timestamp() - seconds
    iso = moment("--since", "2026-01-30T12:00:00+00:00", now)
    assert iso == now.timestamp() - 43200
    with pytest.raises(ConfigError, match="--since 'noon' is no time"):
        moment("--since", "noon", now)


def test_losses_are_those_of_the_events() -> None:
    said = [
        *lines(),
        status(9001, "audio", "lost", 60),
        status(9002, "audio", "recovering", 61),
        status(9003, "audio", "healthy", 70),
        status(9004, "audio", "overflow", 71),
        status(9005, "overload", "overflow", 72),
        status(9006, "audio", "paused", 80),
        {"type": "dropped", "count": 12, "from_seq": 1, "to_seq": 12, "reason": "x"},
    ]
    day = day_of(said)
    losses = as_json(day, sums(day))["losses"]
    assert losses["overflows"] == 2
    assert losses["dropped"] == 12
    assert [(o["state"], o["end"] is None) for o in losses["outages"]] == [
        ("lost", False),
        ("paused", True),
    ]
    assert "an end that was not told" in text(day, sums(day))


def test_what_no_daemon_can_say_is_damage_and_makes_no_number() -> None:
    said = lines()
    begun = next(m for m in said if m["type"] == "emotion")
    step = next(m for m in said if m["type"] == "prediction")
    strange = [
        {**begun, "start_ms": -1e15},
        {**begun, "start_ms": begun["end_ms"] + 1},
        {**begun, "confidence": 1e300},
        {**begun, "confidence": float("nan")},
        {**begun, "label": "x" * 1000},
        {**step, "time": "0001-01-01T00:00:00.000Z"},
        {**step, "time": "9999-12-31T23:59:59.999Z"},
        {**step, "state": ["speech"]},
        {**said[0], "audio": {**said[0]["audio"], "step_ms": 1e300}},
    ]
    for number, m in enumerate(strange):
        m |= {"id": 1000 + number, "seq": 9000 + number}
    day, clean = day_of([*said, *strange]), day_of(said)
    assert day.damaged == len(strange)
    day.damaged = 0
    assert as_json(day, sums(day)) == as_json(clean, sums(clean))


def test_losses_outside_of_the_period_do_not_count() -> None:
    dropped = {"type": "dropped", "count": 12, "from_seq": 1, "to_seq": 12}
    said = [
        status(9001, "audio", "lost", 60),
        status(9002, "audio", "healthy", 70),
        dropped,
        status(9003, "audio", "lost", 80),
        status(9004, "audio", "healthy", 110),
        {"type": "dropped", "count": 3, "from_seq": 9005, "to_seq": 9007},
    ]
    day = day_of([*lines(), *said, *said], Period(T0 + 100, T0 + 120))
    # The one that goes on when the period begins is a part of it.
    assert [(o.start - T0, o.end) for o in day.outages] == [(80, T0 + 110)]
    assert day.dropped == 3


def test_the_end_of_an_outage_before_a_restart_is_not_that_of_the_next() -> None:
    said = [*lines(), status(9001, "audio", "lost", 60)]
    said += [*shifted(lines(), 600), status(9001, "audio", "lost", 700)]
    said += [status(9002, "audio", "healthy", 710)]
    outages = day_of(said).outages
    assert [o.end for o in outages] == [None, T0 + 710]


def test_an_hour_that_an_emotion_crosses_has_its_part_of_it() -> None:
    day = day_of(shifted(lines(), 3570))
    hours = sums(day).hours
    assert len(hours) == 2
    total = sum(sum(hour.emotions.values()) for hour in hours)
    assert total == pytest.approx(sum(in_each(ends()).values()), abs=0.01)


def allowed(day: Day) -> set[str]:
    """Each number that may stand in a report of the minute, made anew."""
    said = lines()
    numbers = {"0", "0.0"}
    for m in said:
        if "time" in m:
            numbers |= stamps(datetime.fromisoformat(m["time"]))
    numbers |= stamps(datetime.fromtimestamp(T0, UTC))
    numbers |= stamps(datetime.fromtimestamp(T0 + 0.312, UTC))
    for m in said:
        if m["type"] == "emotion":
            numbers.add(f"{m['confidence']:.2f}")
            numbers.add(f"{(m['end_ms'] - m['start_ms']) / 1000:.1f}")
    seconds = in_each(ends())
    numbers |= {f"{s:.1f}" for s in seconds.values()}
    numbers |= {str(sum(m["label"] == x for m in ends())) for x in seconds}
    steps = [m for m in said if m["type"] == "prediction"]
    doubt = sum(m["label"] == "uncertain" for m in steps)
    speech = sum(m["state"] == "speech" for m in steps)
    for count in (doubt, speech - doubt, len(steps) - speech):
        numbers.add(f"{0.2 * count:.1f}")
    return numbers


def stamps(moment: datetime) -> set[str]:
    here = moment.astimezone()
    patterns = ("%Y-%m-%d", "%H:%M:%S", "%H:%M", "%m-%d")
    return {here.strftime(p) for p in patterns} | {here.strftime("%H:00")}


class Words(HTMLParser):
    """The words of a page, until the section that says what they do not mean."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.words.append(data)

    @property
    def told(self) -> str:
        return "\n".join(self.words).partition("What the numbers do not mean")[0]


def test_no_number_is_told_that_the_events_do_not_hold() -> None:
    day = day_of(lines())
    found = sums(day)
    parsed = Words()
    parsed.feed(page(day, found))
    for told in (parsed.told, text(day, found)):
        numbers = set(NUMBER.findall(told))
        assert len(numbers) > 20
        assert numbers - allowed(day) == set()


def test_the_page_loads_nothing_runs_nothing_and_escapes_names() -> None:
    said = lines()
    name = '<script>alert(1)</script>"&\x1b'
    said[0] = {**said[0], "audio": {**said[0]["audio"], "device": name}}
    said[0]["model"] = {**said[0]["model"], "labels": [name, "sad"], "name": name}
    said = [{**m, "label": name} if m.get("label") == "fear" else m for m in said]
    day = day_of(said)
    written = page(day, sums(day))
    parsed = Words()
    parsed.feed(written)
    assert "script" not in parsed.tags
    assert not {"src", "href", "onload"} & {key for key, _ in parsed.attributes}
    assert "http" not in written.replace("http-equiv", "")
    assert "\x1b" not in written
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in (
        parsed.attributes
    )
    assert "<script>alert(1)</script>" in parsed.told
    assert parsed.tags.count("h1") == 1
    assert ("scope", "col") in parsed.attributes
    assert parsed.tags.count("svg") == 1 + len(day.labels)
    assert "Each row is a minute long." in written
    days = day_of([*said, *shifted(lines(), 86_400)])
    assert "Each row is an hour long." in page(days, sums(days))


def test_a_report_says_what_its_numbers_do_not_mean_as_readme_does() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split()).replace("*", "")
    for figures in ABROAD.values():
        for number in re.findall(r"\d\d", figures):
            assert number in readme
    said = " ".join(notes(["open", "accurate", "mine"]))
    # Both of the same state of the model, and of both it is said.
    for share in (50, 64):
        assert f"where it was calibrated, {share} % on English RAVDESS" in said
    assert "Article 5(1)(f)" in said
    assert "model show" in " ".join(notes(["mine"]))


def write(path: Path, said: list[dict[str, Any]], torn: bytes = b"") -> Path:
    path.write_bytes(b"".join(json.dumps(m).encode() + b"\n" for m in said) + torn)
    return path


def test_a_file_a_gzipped_one_and_a_pipe_tell_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "events.jsonl", lines(), b'{"type":"predic')
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain = run("report", path, "--json", environment=HERE)
    assert plain.returncode == 0, plain.stderr
    assert plain.stderr == b""
    told = json.loads(plain.stdout)
    assert told["losses"]["damaged_lines"] == 1
    assert told["start"].startswith("2026-01-01T00:00:00")
    assert run("report", packed, "--json", environment=HERE).stdout == plain.stdout
    for data in (path.read_bytes(), packed.read_bytes()):
        piped = run("report", "-", "--json", stdin=data, environment=HERE)
        assert piped.stdout == plain.stdout
    cut = run("report", "-", "--json", stdin=packed.read_bytes()[:-900])
    assert cut.returncode == 0
    assert json.loads(cut.stdout)["losses"]["damaged_lines"] >= 1


def test_the_page_is_written_and_lines_are_for_the_terminal(tmp_path: Path) -> None:
    path = write(tmp_path / "events.jsonl", lines())
    out = tmp_path / "day.html"
    done = run("report", path, "-o", out, environment=HERE)
    assert done.returncode == 0
    assert done.stdout == b""
    assert out.read_text().startswith("<!DOCTYPE html>")
    shown = run("report", path, environment=HERE).stdout.decode()
    assert shown.startswith("from 2026-01-01 00:00:00 to 2026-01-01 00:00:59\n")
    assert re.search(r"(?m)^sad +14\.4 s", shown)
    assert "not what a person felt" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["/nowhere"], 2, "/nowhere cannot be read: No such file"),
        (["/dev/null"], 2, "/dev/null holds no events of a daemon"),
        (["-"], 2, "standard input holds no events of a daemon"),
        (["unix:///nonexistent/s"], 5, "nothing listens on"),
        (["-", "--since", "noon"], 2, "--since 'noon' is no time"),
        (["-", "-o", "day.pdf"], 2, "ends in no .html"),
        (["-", "--since", "2d", "--until", "3d"], 2, "--since 2d is not before"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(
    arguments: list[str], status: int, text: str
) -> None:
    done = run("report", *arguments, stdin=b"")
    assert done.returncode == status
    assert text in error_line(done)


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "events.jsonl", lines())
    done = run("report", path, "-o", "/proc/day.html")
    assert done.returncode == 5
    assert "/proc/day.html cannot be written" in error_line(done)


def test_a_folder_for_the_page_is_not_made(tmp_path: Path) -> None:
    path = write(tmp_path / "events.jsonl", lines())
    done = run("report", path, "-o", tmp_path / "no where" / "day.html")
    assert done.returncode == 5
    assert f"(mkdir -p '{tmp_path / 'no where'}'), or" in error_line(done)
    assert not (tmp_path / "no where").exists()


def test_bytes_that_are_no_events_are_refused() -> None:
    with pytest.raises(SourceError, match="holds no events"):
        day_of([None, {"type": "hello"}, {"type": "bye"}])
    with pytest.raises(SourceError, match="has some from 20"):
        day_of(lines(), Period(T0 + 1000))
    with pytest.raises(SourceError, match="holds no events"):
        day_of(lines()[:1])


def test_a_daemon_tells_the_hour_that_it_holds(tmp_path: Path) -> None:
    minute = DATA / "emodb_minute.flac"
    with running_daemon("--pace", "realtime", source=minute) as daemon:
        with daemon.subscribe() as stream:
            told = (m for m in stream if m["type"] == "emotion")
            first = next(m for m in told if m["phase"] == "end")
        done = run("report", f"unix://{daemon.socket}", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert first["label"] in json.dumps(found["emotions"])
    assert found["losses"]["unknown_messages"] == {}


def test_of_several_sources_one_has_to_be_chosen() -> None:
    desk = [{**m, "source": "desk"} for m in lines()]
    hall = [{**m, "source": "hall"} for m in shifted(lines(), 0.1)]
    mixed = [m for both in zip(desk, hall, strict=True) for m in both]
    with pytest.raises(ConfigError, match="choose one by --source: desk, hall"):
        day_of(mixed)
    with pytest.raises(ConfigError, match="no events of 'attic'"):
        day_of(mixed, source="attic")
    chosen, alone = day_of(mixed, source="desk"), day_of(lines())
    assert as_json(chosen, sums(chosen)) == as_json(alone, sums(alone))
