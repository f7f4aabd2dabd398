"""Clients of a server that is restarted again and again: what they lose is in .wrong.

A Loop keeps its connection until an answer announces its end; Visitors come at a steady rate,
each for one request on a connection of its own.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from client import Closed, Connection, get


class Loop(threading.Thread):
    """A client that asks again and again on a connection, and anew when that has ended."""

    def __init__(self, address, target: str = '/hello'):
        super().__init__(daemon=True)
        self.address, self.target = address, target
        self.answers, self.ends, self.wrong = 0, 0, []
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping and not self.wrong:
            try:
                with Connection(self.address) as client:
                    self.ask(client)
            except (OSError, Closed) as error:
                self.wrong.append(f'after {self.answers} answers: {error!r}')

    def ask(self, client):
        while not self.stopping:
            answer = client.get(self.target)
            if answer.status != 200 or not answer.complete:
                self.wrong.append(f'{answer.status}, complete: {answer.complete}')
                return
            self.answers += 1
            if answer.header('Connection').lower() == 'close':
                # The end itself is no reset either.
                if client.socket.recv(1) != b'':
                    self.wrong.append('more behind the last answer')
                self.ends += 1
                return


class Visitors(threading.Thread):
    """So many new connections a second, however long each waits."""

    def __init__(self, address, rate: int, at_once: int = 64):
        super().__init__(daemon=True)
        self.address, self.rate = address, rate
        self.answers, self.wrong = 0, []
        self.stopping = False
        self._pool = ThreadPoolExecutor(at_once)
        self._lock = threading.Lock()
        self.start()

    def run(self):
        when = time.monotonic()
        while not self.stopping:
            self._pool.submit(self._visit)
            when += 1 / self.rate
            time.sleep(max(0, when - time.monotonic()))
        self._pool.shutdown()

    def _visit(self):
        try:
            answer = get(self.address)
            wrong = '' if answer.status == 200 and answer.complete else repr(answer)
        except (OSError, Closed) as error:
            wrong = repr(error)
        with self._lock:
            self.answers += not wrong
            if wrong:
                self.wrong.append(wrong)
