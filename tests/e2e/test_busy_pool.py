"""What clients of a pool feel of requests that take long: of one nothing, of all a delay."""

import resource
import time

import pytest

from client import Connection
from crowd import Crowd
from server import wait_until

ENGINES = ['io_uring', 'epoll']


# --- all children are busy ------------------------------------------------------------------

BUSY = 2
MANY = 2000


@pytest.fixture
def descriptors():
    """Enough of them for MANY clients here, and for their connections in one child."""
    need = 2 * MANY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip(f'ulimit -Hn is {hard}, and {need} are needed')
    if soft != resource.RLIM_INFINITY and soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize('engine', ENGINES)
def test_2000_clients_wait_while_all_children_are_busy_and_none_is_lost(
        serve, descriptors, engine):
    server = serve('probe', '-w', '2', '--io-engine', engine, '--keep-alive-timeout', '60s')
    server.wait_for_ready(2)
    crowd = Crowd(server.address, MANY, '/hello', check=b'hello\n'.__eq__, pause=0.3)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    slow = [Connection(server.address) for _ in range(2)]
    begin = time.monotonic()
    for connection in slow:
        connection.send(f'GET /sleep?s={BUSY} HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: server.log.text().count('sleeping') == 2, 'two busy children')
    both = time.monotonic()
    wait_until(lambda: crowd.waiting() == MANY or time.monotonic() > begin + BUSY,
               'everybody to wait')
    waited, answers = crowd.waiting(), crowd.answers
    assert server.board()['counts']['idle'] == 0 and time.monotonic() < begin + BUSY
    for connection in slow:
        assert connection.response().body == b'awake'
        connection.close()
    least = crowd.least()
    wait_until(lambda: crowd.least() > least + 1, 'two answers more for everybody')
    crowd.stop()
    print(f'{waited} clients waited, both children were busy within {both - begin:.3f} s; '
          f'{crowd.answers - answers} answers since, the slowest took '
          f'{max(crowd.latencies):.2f} s')
    assert waited > 0.95 * MANY
    assert (crowd.ends, crowd.wrong) == ([], [])
    assert server.board()['board']['children_crashed'] == 0
    server.stop()


# --- one child is busy ----------------------------------------------------------------------

CLIENTS = 64
ROUNDS = 3


def latencies(server, target=None):
    """(p50, p99, slowest) of 64 clients in ms, for as long as target takes, or a second."""
    crowd = Crowd(server.address, CLIENTS, '/hello', check=b'hello\n'.__eq__, pause=0.02)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    time.sleep(0.3)  # until the crowd has spread
    crowd.latencies.clear()
    if target is None:
        time.sleep(1)
    else:
        with Connection(server.address) as slow:
            assert slow.get(target).status == 200
    found = sorted(crowd.latencies)
    crowd.stop()
    assert (crowd.ends, crowd.wrong) == ([], []) and len(found) > 10 * CLIENTS
    return tuple(1000 * s for s in (found[len(found) // 2], found[len(found) * 99 // 100],
                                    found[-1]))


@pytest.mark.parametrize('engine', ENGINES)
def test_64_clients_of_4_children_do_not_feel_that_one_computes_for_2_s(serve, engine):
    """p99 is below 10 ms and the slowest below 100.

    A machine that has other things to do does not run the client, or an idle child, for
    longer than that now and then: so there are three rounds, the best one counts, and where
    the clients were badly off without the slow request too, a multiple of that is allowed.
    Those who wait for it wait a second on average.
    """
    server = serve('probe', '-w', '4', '--io-engine', engine)
    server.wait_for_ready(4)
    best = None
    for number in range(1, ROUNDS + 1):
        calm = latencies(server)
        busy = latencies(server, '/spin?s=2')
        print('round {}, without and beside the slow request: p50 {:.2f} and {:.2f} ms, p99 '
              '{:.2f} and {:.2f} ms, slowest {:.2f} and {:.2f} ms'.format(
                  number, *(ms for pair in zip(calm, busy) for ms in pair)))
        excess = max(busy[1] / max(10, 4 * calm[1]), busy[2] / max(100, 4 * calm[2]))
        best = min(best or excess, excess)
        if best < 1:
            break
    assert best < 1
    server.stop()
