"""A watch of one kind of object that notes when each change arrived: for what a poll is too coarse."""
import json
import socket
import threading
import time


class Watch:
    """Within `with`: calls `event(at, type, object)` in a thread of its own for each change since the entry; `at` is
    time.monotonic() when the change had arrived. `path` is a collection's. A watch that the server ends (it does so to
    one that reads too slowly) goes on where it was."""

    def __init__(self, api, path, event):
        self.api, self.path, self.event = api, path, event
        self.failure = None  # why it saw no more
        self._version = None  # what was seen last
        self._connection = self._answer = None
        self._stopping = False
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self):
        self._version = self.api.get(f"{self.path}?limit=1")["metadata"]["resourceVersion"]
        self._open()
        self._thread.start()
        return self

    def _open(self):
        self._connection = self.api.connection()
        self._connection.request("GET", f"{self.path}?watch=true&resourceVersion={self._version}&timeoutSeconds=3600",
                                 headers={"Authorization": f"Bearer {self.api.tokens['admin']}"})
        self._connection.sock.settimeout(None)
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise OSError(f"watch of {self.path}: {self._answer.status} {self._answer.read()}")

    def _follow(self):
        try:
            while not self._stopping:
                self._read()
                self._connection.close()
                if not self._stopping:
                    self._open()
        except Exception as e:  # the thread has nobody to tell
            self.failure = None if self._stopping else e

    def _read(self):
        while line := self._answer.readline():
            at = time.monotonic()
            change = json.loads(line)
            if change["type"] == "ERROR":
                raise OSError(f"watch of {self.path}: {change['object']}")
            self._version = change["object"]["metadata"]["resourceVersion"]
            self.event(at, change["type"], change["object"])

    def __exit__(self, *_):
        self._stopping = True
        try:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # the server has ended it at this very moment
        self._thread.join(timeout=10)
        self._connection.close()
