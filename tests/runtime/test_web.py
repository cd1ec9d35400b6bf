"""The page of `voxtoon listen --web`: who may talk to its server, what comes back, and a real browser."""

import http.client
import json
import socket

import numpy as np
import pytest

from tests.runtime import chromium
from voxtoon import InputError, open_bundle
from voxtoon.web import WebListener
from voxtoon.web.server import HOST, MOST_BYTES


@pytest.fixture(scope="module")
def pipeline(streaming_bundle):
    with open_bundle(streaming_bundle) as bundle:
        yield bundle.pipeline()


@pytest.fixture
def listener(pipeline):
    listener = WebListener(pipeline)
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture
def ask(listener):
    """One request; status, headers, body."""

    def request(method, path, body=None, *, token=True, **headers):
        connection = http.client.HTTPConnection(HOST, listener.port, timeout=30)
        if token:
            headers["X-Voxtoon-Token"] = listener.token
        connection.request(method, path, body, {name.replace("_", "-"): v for name, v in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    return request


def begin(ask, rate=16_000):
    status, _, content = ask("POST", f"/api/begin?rate={rate}")
    assert status == 200
    return json.loads(content)["call"]


def events_of(listener, count):
    """Read so many events as the page does."""
    connection = http.client.HTTPConnection(HOST, listener.port, timeout=30)
    connection.request("GET", "/api/events", headers={"X-Voxtoon-Token": listener.token})
    answer = connection.getresponse()
    found = []
    while len(found) < count:
        line = answer.readline().strip()
        if line:
            found.append(json.loads(line))
    connection.close()
    return found


def test_it_listens_on_this_machine_alone(listener):
    assert listener._server.server_address[0] == "127.0.0.1"
    assert listener.url == f"http://127.0.0.1:{listener.port}/#{listener.token}"
    assert len(listener.token) >= 32


def test_the_page_and_its_parts_come_from_here_and_nothing_from_elsewhere(ask):
    status, headers, page = ask("GET", "/", token=False)
    assert status == 200
    assert b"a cartoon, not a likeness" in page
    assert b'<path id="' in page
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "http" not in policy
    for path in ("/page.js", "/page.css", "/microphone.js"):
        status, headers, content = ask("GET", path, token=False)
        assert status == 200
        assert b"http://" not in content
        assert b"https://" not in content
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.org"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1.example.org"},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(ask, headers):
    for method, path in (("GET", "/"), ("GET", "/api/events"), ("POST", "/api/begin?rate=16000")):
        assert ask(method, path, **headers)[0] == 403


@pytest.mark.parametrize("token", ["", "wrong", "é"])
def test_without_the_secret_of_its_address_nothing_is_heard_or_told(ask, token):
    headers = {"X_Voxtoon_Token": token.encode()}
    for method, path in (
        ("GET", "/api/events"),
        ("POST", "/api/begin?rate=16000"),
        ("POST", "/api/end?call=1"),
    ):
        assert ask(method, path, token=False, **headers)[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("GET", "/nothing", None, 404, "no such page"),
        ("GET", "/../page.html", None, 404, "no such page"),
        ("POST", "/api/nothing", None, 404, "no such page"),
        ("POST", "/api/begin?rate=7", None, 400, "sample rate: got 7 Hz"),
        ("POST", "/api/begin", None, 400, "rate: got ''"),
        ("POST", "/api/begin?rate=1e9", None, 400, "rate: got '1e9'"),
        ("POST", "/api/sound?call=77", b"", 400, "this call has ended"),
        ("POST", "/api/end?call=77", None, 400, "this call has ended"),
    ],
)
def test_what_is_none_is_refused_in_a_line(ask, method, path, body, status, why):
    got, _, content = ask(method, path, body)
    assert got == status
    assert why in json.loads(content)["error"]


def test_numbers_that_are_none_are_refused_and_the_call_goes_on(ask):
    call = begin(ask)
    status, _, content = ask("POST", f"/api/sound?call={call}", np.full(64, np.nan, "<f4").tobytes())
    assert (status, "NaN" in json.loads(content)["error"]) == (400, True)
    assert ask("POST", f"/api/sound?call={call}", np.zeros(64, "<f4").tobytes())[0] == 204


def test_too_much_at_once_is_refused_unread(ask):
    call = begin(ask)
    headers = {"Content_Length": str(MOST_BYTES + 1)}
    assert ask("POST", f"/api/sound?call={call}", b"", **headers)[0] == 413


def test_a_call_is_told_as_it_goes_on(listener, ask, sample_voice):
    call = begin(ask)
    voice = sample_voice.samples.astype("<f4")
    for start in range(0, len(voice), 8_000):
        assert ask("POST", f"/api/sound?call={call}", voice[start : start + 8_000].tobytes())[0] == 204
    assert ask("POST", f"/api/end?call={call}")[0] == 204
    found = []
    while not (found and found[-1].get("final")):
        found = events_of(listener, len(found) + 1)
    updates = [event for event in found if "paths" in event]
    assert updates[0]["state"] == "draft"
    assert updates[-1]["confidence"] == 1.0
    assert updates[-1]["time_constant_s"] == 0.3
    assert "landmarks" not in updates[-1]
    names = [path["id"] for path in updates[-1]["paths"]]
    assert all([path["id"] for path in update["paths"]] == names for update in updates)
    assert len(names) == len(set(names))


def test_a_page_that_begins_anew_ends_the_call_of_the_other(ask):
    first, second = begin(ask), begin(ask)
    assert second == first + 1
    assert ask("POST", f"/api/sound?call={first}", bytes(64))[0] == 400
    assert ask("POST", f"/api/sound?call={second}", bytes(64))[0] == 204


def test_a_port_that_is_taken_is_told(pipeline, listener):
    with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1 port {listener.port}"):
        WebListener(pipeline, port=listener.port)
    with pytest.raises(InputError, match="cannot listen"):
        WebListener(pipeline, port=70_000)


def test_when_it_stops_nobody_waits_and_the_port_is_free(pipeline):
    listener = WebListener(pipeline)
    listener.start()
    connection = http.client.HTTPConnection(HOST, listener.port, timeout=30)
    connection.request("GET", "/api/events", headers={"X-Voxtoon-Token": listener.token})
    answer = connection.getresponse()
    listener.stop()
    assert answer.read().strip() == b""
    with socket.socket() as probe:
        assert probe.connect_ex((HOST, listener.port)) != 0


@pytest.fixture
def page(listener, sample_voice, tmp_path):
    if chromium.PATH is None:
        pytest.skip("Chromium is not installed (apt-packages.txt)")
    import soundfile

    soundfile.write(tmp_path / "voice.wav", np.tile(sample_voice.samples, 2), 16_000, "PCM_16")
    with chromium.browser(tmp_path / "profile", microphone=tmp_path / "voice.wav") as page:
        page.go(listener.url)
        page.wait_for("document.body?.dataset.updates === '0'")
        yield page
    assert page.errors == []
    assert all(url.startswith((f"http://{HOST}:{listener.port}/", "blob:")) for url in page.requests)


SHAPE = "[...document.querySelectorAll('#avatar path')].map((path) => path.getAttribute('d')).join('|')"
STRUCTURE = (
    "[...document.querySelectorAll('#avatar path')].map((path) => path.id + "
    "path.getAttribute('d').replace(/-?[0-9]+([.][0-9]+)?/g, '0')).join('|')"
)
UPDATES = "Number(document.body.dataset.updates)"


def test_a_real_browser_hears_its_microphone_and_the_avatar_moves(page):
    neutral, structure = page.evaluate(SHAPE), page.evaluate(STRUCTURE)
    page.click("#microphone")
    page.wait_for(f"{UPDATES} >= 2")
    on_the_way = page.evaluate(
        f"(async () => {{ const seen = []; for (let i = 0; i < 6; i++) {{ seen.push({SHAPE}); "
        "await new Promise((done) => setTimeout(done, 60)); } return seen; })()"
    )
    page.wait_for("!document.querySelector('#stop').disabled")
    page.click("#stop")
    page.wait_for("document.querySelector('#status').textContent.startsWith('the call has ended')")
    assert len(set(on_the_way)) > 1
    assert page.evaluate(SHAPE) != neutral
    assert page.evaluate(STRUCTURE) == structure
    assert float(page.evaluate("document.querySelector('#speech').textContent").split()[0]) > 1.0


def test_a_real_browser_hears_a_file(page, tmp_path):
    page.choose_file("#file", tmp_path / "voice.wav")
    page.wait_for(f"{UPDATES} >= 1")
    assert "telephone" not in page.evaluate("document.querySelector('#status').textContent")
    page.click("#stop")
    page.wait_for("document.querySelector('#status').textContent.startsWith('the call has ended')")
