"""A browser sends its microphone, which is a file, and shows what is heard in it."""

from pathlib import Path

import soundfile

from tests.helpers import browser
from tests.helpers.paths import MINUTE
from tests.helpers.running_serve import running_serve


def test_a_browser_sends_its_microphone_and_shows_what_is_heard(tmp_path: Path) -> None:
    browser.require()
    samples, rate = soundfile.read(MINUTE, dtype="int16", frames=5 * 16_000)
    soundfile.write(tmp_path / "talk.wav", samples, rate)
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={tmp_path / 'talk.wav'}",
        "--autoplay-policy=no-user-gesture-required",
    )
    token = {"SER_STREAM_TOKEN": "0123456789abcdef"}
    with (
        running_serve(kinds=("ws",), environment=token) as served,
        browser.browser(*flags) as page,
    ):
        page.go(f"http://127.0.0.1:{served.port('ws')}/")
        page.wait_for("#state", "Not sending.")
        page.value("document.getElementById('toggle').click()")
        page.wait_for("#state", "token")
        page.wait_for("#controls", "Token")
        page.value("document.getElementById('token').value = '0123456789abcdef'")
        page.value("document.getElementById('toggle').click()")
        page.wait_for("#state", "Sending; model open.")
        page.wait_for("#scores", "angry")
        page.wait_for("#events", "s: ")
        page.value("document.getElementById('toggle').click()")
        page.wait_for("#state", "Not sending.")
        assert "Traceback" not in served.log.read_text()
