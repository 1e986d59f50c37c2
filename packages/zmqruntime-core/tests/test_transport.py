"""URLs, socket paths, and whether anything listens."""

import os
import socket
from pathlib import Path

import pytest

from zmqruntime import (
    ConfigurationError,
    TransportMode,
    ZMQConfig,
    get_default_transport_mode,
    get_ipc_socket_path,
    get_zmq_transport_url,
    remove_ipc_socket,
)
from zmqruntime.transport import choose_transport_mode, is_listening, prepare_private_dir

posix = pytest.mark.skipif(os.name != "posix", reason="IPC sockets need POSIX")


@posix
def test_defaults_are_those_that_programs_rely_on(isolated_home: Path) -> None:
    config = ZMQConfig()
    assert (config.default_port, config.control_port_offset, config.shared_ack_port) == (7777, 1000, 7555)
    assert get_default_transport_mode() is TransportMode.IPC
    assert get_ipc_socket_path(7777) == isolated_home / ".zmqruntime" / "ipc" / "zmq-7777.sock"
    assert get_zmq_transport_url(7777) == f"ipc://{isolated_home}/.zmqruntime/ipc/zmq-7777.sock"


def test_tcp_urls() -> None:
    assert get_zmq_transport_url(7777, mode=TransportMode.TCP) == "tcp://127.0.0.1:7777"
    assert get_zmq_transport_url(7777, "lab-server", TransportMode.TCP) == "tcp://lab-server:7777"
    assert get_zmq_transport_url(7777, "::1", TransportMode.TCP) == "tcp://[::1]:7777"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_named(port: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"port {port} is .* \(a control port is its data port plus 1000"):
        get_zmq_transport_url(port, mode=TransportMode.TCP)


def test_a_transport_mode_may_be_its_word_and_no_other() -> None:
    assert choose_transport_mode("tcp") is TransportMode.TCP  # type: ignore[arg-type]
    assert choose_transport_mode(None, "127.0.0.1") is TransportMode.TCP
    assert choose_transport_mode(None) is get_default_transport_mode()
    with pytest.raises(ConfigurationError, match="unknown transport_mode 'pigeon'; choose ipc or tcp"):
        choose_transport_mode("pigeon")  # type: ignore[arg-type]


@posix
def test_a_socket_path_that_is_too_long_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/tmp/" + "long" * 25)
    with pytest.raises(ConfigurationError, match="shorter home folder"):
        get_zmq_transport_url(7777)


@posix
def test_remove_takes_a_stale_socket_and_leaves_a_live_one() -> None:
    path = get_ipc_socket_path(7001)
    assert path is not None
    prepare_private_dir(path.parent)
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        assert is_listening(7001, "localhost", TransportMode.IPC)
        assert not remove_ipc_socket(7001)
        assert path.exists()
    assert not is_listening(7001, "localhost", TransportMode.IPC)
    assert remove_ipc_socket(7001)
    assert not path.exists()
    assert not remove_ipc_socket(7001)


@posix
def test_the_socket_folder_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o777)
    assert prepare_private_dir(folder).stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file.*; set HOME to a folder that you can write"):
        prepare_private_dir(tmp_path / "file")
