"""Free ports: what one has chosen nobody else finds free, and its server may listen there."""

import errno
import random
import socket
from collections.abc import Callable

import pytest

from deploy.embedded.processes import LOOPBACK, claim_port, free_port, free_udp_port


def test_a_chosen_port_is_not_free_for_another_and_its_server_listens_there() -> None:
    port = free_port()
    with socket.socket() as another:
        with pytest.raises(OSError, match="in use") as refused:
            another.bind((LOOPBACK, port))
        assert refused.value.errno == errno.EADDRINUSE
    for _ in range(2):  # and again after it died
        with socket.create_server((LOOPBACK, port)), socket.create_connection((LOOPBACK, port)) as client:
            assert client.getpeername() == (LOOPBACK, port)


def test_nobody_is_there_until_its_server_is() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, free_port()))


def test_a_chosen_udp_port_can_be_bound_and_its_number_is_given_to_nobody_else() -> None:
    port = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phones:
        phones.bind((LOOPBACK, port))
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind((LOOPBACK, port))


@pytest.mark.parametrize("choose", [free_port, free_udp_port, lambda: claim_port(0, "--port", ("", ""))])
def test_two_who_draw_the_same_number_get_different_ports(choose: Callable[[], int]) -> None:
    drawn = random.getstate()
    first = choose()
    random.setstate(drawn)
    assert choose() != first


def test_very_many_choices_keep_a_bounded_number_of_ports() -> None:
    chosen = [free_port() for _ in range(400)]
    held = 0
    for port in chosen:
        with socket.socket() as another:
            try:
                another.bind((LOOPBACK, port))
            except OSError:
                held += 1
    assert 100 < held < 300  # two hundred, and whatever else lives on this machine
