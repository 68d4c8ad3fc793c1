"""Pods that come and go while others talk."""
import concurrent.futures
import subprocess
import time

import pytest
from lab.shell import run, wait_until

CHURN = 1000
LANES = 4

pytestmark = pytest.mark.alone

RECEIVER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)           # SO_RCVBUFFORCE: what is lost is not lost here
s.bind(("", 9)); s.settimeout(15)
seen = set()
try:
    while True:
        data = s.recv(64)
        if data == b"end": break
        seen.add(int(data))
except TimeoutError: pass
print(len(seen))
"""

SENDER = """
import socket, sys, time, os
address, stop = sys.argv[1], sys.argv[2]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((address, 9))
n, start = 0, time.monotonic()
while not os.path.exists(stop):
    due = int((time.monotonic() - start) * 5000)     # 5000 packets a second
    while n < due:
        s.send(str(n).encode()); n += 1
    time.sleep(0.001)
time.sleep(1)
try:
    for _ in range(3): s.send(b"end"); time.sleep(0.1)
except ConnectionRefusedError: pass                  # the receiver has ended
print(n)
"""


def test_nothing_of_a_flow_is_lost_while_a_thousand_pods_come_and_go(lab, add_node, tmp_path):
    # A ring holds 0.4 s of the flow: how long the machine keeps the worker from its CPU is another matter.
    node = add_node(1, settings={"ports": {"afxdp": {"ringSize": 2048}}})
    source, target = node.add_pod("source"), node.add_pod("target")
    stop = tmp_path / "stop"

    def start(pod, code, *arguments):
        return subprocess.Popen(["ip", "netns", "exec", pod.ns, "/usr/bin/python3", "-c", code, *map(str, arguments)],
                                stdout=subprocess.PIPE, text=True)

    receiver = start(target, RECEIVER)
    wait_until(lambda: ":9 " in target.exec("ss -Hlun"), "the receiver")
    sender = start(source, SENDER, target.address(4), stop)
    started = time.monotonic()

    def churn(lane):
        """One of several runtimes' threads: its share of the pods, one after the other."""
        ns = f"{lab.prefix}churn{lane}"
        run(f"ip netns add {ns}")
        for i in range(lane, CHURN, LANES):
            call = {"container": f"churn-{i}", "netns": f"/var/run/netns/{ns}", "args": {"K8S_POD_NAME": f"churn-{i}"}}
            node.cni("ADD", **call)
            node.cni("DEL", **call)

    try:
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            list(pool.map(churn, range(LANES)))
    finally:
        stop.touch()
        sent, received = (int(p.communicate(timeout=30)[0]) for p in (sender, receiver))
    print(f"{CHURN} attaches and detaches in {time.monotonic() - started:.0f} s; {sent} packets, {sent - received} lost")
    lost = {p.name: {k: p.port()[k] for k in ("drops", "rx_missed", "rx_errors", "tx_errors")} for p in (source, target)}
    assert received == sent, lost
