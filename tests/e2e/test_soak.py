"""Many graceful restarts under load leave nothing behind; tools/test --soak does 2,500."""

import pytest

import soak
from server import SANITIZED

RESTARTS = 20 if SANITIZED else 30


@pytest.mark.parametrize('listeners, mutex, threads', [
    (1, 'default', 4), (2, 'sysvsem', 1)])
def test_many_graceful_restarts_under_load_leave_all_as_it_was(
        request, directory, listeners, mutex, threads):
    one = soak.make(directory, listeners, mutex, threads)
    request.node.servers = [one.server]
    try:
        print(one.run(RESTARTS))
        assert not one.wrong
        one.server.stop()
    finally:
        one.server.discard()
