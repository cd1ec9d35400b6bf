"""A headless Chromium that a test can drive: the DevTools protocol over two pipes, nothing else needed."""

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager

PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """The one page of a browser."""

    def __init__(self, write, read):
        self._write, self._read = write, read
        self._number, self._session, self._buffer = 0, None, b""
        self.requests, self.errors = [], []

    def send(self, method, **parameters):
        """Call a method of the protocol and return its result; events are taken note of meanwhile."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def attach(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")

    def go(self, url):
        self.send("Page.navigate", url=url)

    def evaluate(self, script):
        """The value of an expression; promises are awaited."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def click(self, selector):
        script = f"document.querySelector({json.dumps(selector)}).click()"
        self.send("Runtime.evaluate", expression=script, userGesture=True)

    def choose_file(self, selector, path):
        found = self.send("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.send("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    def wait_for(self, script, *, seconds=60):
        """Evaluate until it is true, and fail with what the page says when it never is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.evaluate(script):
                return value
            time.sleep(0.05)
        said = self.evaluate("document.body.innerText")
        raise AssertionError(f"never true: {script}; the page says: {said}; errors: {self.errors}")

    def _receive(self):
        while b"\0" not in self._buffer:
            data = os.read(self._read, 65_536)
            if not data:
                raise RuntimeError("the browser has gone")
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"]["text"])
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])


@contextmanager
def browser(folder, *, microphone):
    """A page in a new browser whose microphone is a WAV file."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    command = [
        PATH,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-pipe",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
        f"--user-data-dir={folder}",
    ]

    def pipes():
        os.dup2(to_read, 3)
        os.dup2(from_write, 4)

    # Above 4, so that neither pipe is in the way of the other.
    process = subprocess.Popen(
        command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_read)
    os.close(from_write)
    page = Page(to_write, from_read)
    try:
        page.attach()
        yield page
        page._session = None
        page.send("Browser.close")
    finally:
        process.terminate()
        process.wait(20)
        os.close(to_write)
        os.close(from_read)
