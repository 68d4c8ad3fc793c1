"""Work of this process in another network namespace. A thread moves there and does it, so the
process itself stays where it is; a socket stays in the namespace where it was made."""
import ctypes
import os
import socket
import threading

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def within(ns, function, *arguments):
    """Calls the function in a network namespace and returns its result, or raises what it raised."""
    outcome = {}

    def work():
        fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
        try:
            if _libc.setns(fd, CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), f"cannot enter namespace {ns}")
            outcome["result"] = function(*arguments)
        except BaseException as e:  # handed to the caller
            outcome["error"] = e
        finally:
            os.close(fd)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def connect(ns, host, port, timeout=30):
    """A TCP connection made in a namespace."""
    return within(ns, socket.create_connection, (host, port), timeout)


def listen(ns, host, port):
    """A listening TCP socket in a namespace."""
    return within(ns, lambda: socket.create_server((host, port), backlog=128))
