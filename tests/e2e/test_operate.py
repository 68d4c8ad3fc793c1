"""What an operator does: start without a configuration, with a wrong one, under systemd; look; stop."""
import json
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from lab.node import CniError, STRATACTL, VSWITCHD
from lab.pod import TestpmdPod
from lab.shell import Process, ok, run, wait_until


def daemon(lab, name, config, *arguments):
    path = lab.directory / f"{name}.yaml"
    path.write_text(config)
    return subprocess.run([VSWITCHD, "--config", path, *arguments], text=True, capture_output=True, timeout=30)


def test_daemon_works_without_any_configuration(lab):
    ns = f"{lab.prefix}bare"
    run(f"ip netns add {ns}")
    run("ip link set lo up", ns=ns)
    # Its default paths, in a mount namespace where nothing else sees them.
    process = Process.start(["unshare", "-m", "sh", "-c",
                             f"mount -t tmpfs t /run && mount -t tmpfs t /var/lib && mount -t tmpfs t /etc && exec {VSWITCHD}"],
                            lab.directory / "bare.log", ns=ns)
    try:
        path = f"/proc/{process.pid}/root/run/strata/vswitchd.sock"
        wait_until(lambda: ok([STRATACTL, "-s", path, "get", "subnet"]), process.log_text, timeout=40)
        wait_until(lambda: "100.64.0.0/16" in run([STRATACTL, "-s", path, "get", "subnet"]), "the default Subnet")
        assert "uplink" in process.log_text()
    finally:
        code = process.stop()
    assert code == 0, process.log_text()


@pytest.mark.parametrize("config,words", [
    ("uplnk: {}\n", ["wrong.yaml:1", "uplnk", "sample"]),
    ("workers:\n  buffers: 3\n", ["workers.buffers", "4096"]),
    ("workers: [\n", ["wrong.yaml:"]),
    ("uplink: {device: 'net_af_xdp0,iface=nonesuch'}\n", ["nonesuch"]),
], ids=["unknown-key", "out-of-range", "no-yaml", "no-such-device"])
def test_wrong_configuration_is_refused_in_one_clear_line(lab, config, words):
    done = daemon(lab, "wrong", config, "--check")
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.fixture(scope="module")
def node(lab, add_node):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(lab.directory / "notify"))
        node = add_node(1, env={"NOTIFY_SOCKET": str(lab.directory / "notify")}, settings={
            "workers": {"cpus": [0, 1], "rebalance": {"interval": 1, "load": 1, "times": 1}}, "metrics": {"address": "127.0.0.1", "port": 9897},
            "ports": {"vhostUser": {"mode": "server", "queues": 2}, "afxdp": {"mode": "native"}}})
        notify.settimeout(5)
        assert b"READY=1" in notify.recv(4096)
        yield node


def test_two_workers_share_the_ports(lab, node):
    for name in ("a", "b", "c", "d"):
        node.add_pod(name)
    for source in "abcd":
        for target in "abcd":
            assert source == target or lab.pods[source].ping(lab.pods[target].address(4))
    assert [w["queues"] > 0 for w in node.show("worker")] == [True, True]
    queues = {q["name"]: q for q in node.show("queue") if q["name"].endswith("/eth0")}
    assert len(queues) == 4 and {q["worker"] for q in queues.values()} == {0, 1}
    assert all(q["packets"] > 0 for q in queues.values())


@pytest.mark.parametrize("what", ["worker", "queue"])
def test_every_column_of_a_worker_and_queue_has_a_value(lab, node, what):
    header, *rows = [line.split() for line in node.ctl("show", what).splitlines()]
    assert len(rows) > 1 and all(len(row) == len(header) for row in rows), (header, rows)


def test_many_ports_can_be_made_and_closed_beside_each_other(node):
    names = [path.read_text() for path in pathlib.Path(f"/proc/{node.process.pid}/task").glob("*/comm")]
    assert names.count("strata-vswitchd\n") > 16, names  # the main thread and libuv's, which have no names of their own


def test_uplink_has_a_queue_for_each_worker_if_nothing_else_is_said(lab):
    node = lab.add_node("wide", settings={"workers": {"cpus": [0, 1]}, "uplink": {"device": f"vhost-user:{lab.directory}/nobody.sock"}})
    assert sorted(q["worker"] for q in node.show("queue") if q["name"] == "uplink") == [0, 1]
    assert node.stop() == 0, node.log()


def worker_of(node, pod):
    return next(q["worker"] for q in node.show("queue") if q["name"] == f"default/{pod}/eth0")


def test_queue_moves_from_a_busy_worker_to_the_idle_one(lab, node):
    by_worker = {}
    for name in "abcd":
        by_worker.setdefault(worker_of(node, name), []).append(name)
    one, other = next(names for names in by_worker.values() if len(names) >= 2)[:2]
    # Requests and replies are received by one worker, the other one gets nothing.
    argv = ["ping", "-q", "-f", "-w", "60", lab.pods[other].address(4)]
    flood = Process.start(argv, lab.directory / "flood.log", ns=lab.pods[one].ns)
    try:
        wait_until(lambda: worker_of(node, one) != worker_of(node, other), node.log, timeout=40)
        assert 0 < max(w["load_percent"] for w in node.show("worker")) <= 100
        flood.signal(signal.SIGINT)
        wait_until(lambda: "received" in flood.log_text(), "ping's own count")
    finally:
        flood.stop()
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", flood.log_text()).groups())
    assert sent - received <= 1, "what was under way at the end is no loss"
    assert "moves from worker" in node.log()
    metrics = run(["curl", "-sf", "http://127.0.0.1:9897/metrics"], ns=node.ns).splitlines()
    assert any(float(line.split()[1]) > 0 for line in metrics if line.startswith("strata_queue_moves_total"))
    polled = [float(line.split()[1]) for line in metrics if line.startswith("strata_worker_queues{")]
    assert polled == [w["queues"] for w in node.show("worker")]
    assert sum(q["moves"] for q in node.show("queue")) == node.log().count("moves from worker")


def test_prometheus_reads_what_goes_through_the_ports(lab, node):
    a, b = lab.pods["a"], lab.pods["b"]
    assert a.ping(b.address(4))
    lines = run(["curl", "-sf", "http://127.0.0.1:9897/metrics"], ns=node.ns).splitlines()
    series = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert len(series) == sum(not line.startswith("#") for line in lines)
    received = [float(v) for k, v in series.items() if k.startswith("strata_port_receive_packets_total") and "/a/" in k]
    assert len(received) == 1 and received[0] >= 1
    attached = [series[f"{name}_count{labels}"] for name, labels in (
        ("strata_cni_duration_seconds", '{command="ADD"}'), ("strata_cni_add_own_duration_seconds", ""))]
    assert attached == [str(len(lab.pods))] * 2
    with pytest.raises(CniError) as e:
        node.cni("ADD", container="nobody", netns="/nonesuch", args={})
    failures = f'strata_cni_failures_total{{command="ADD",code="{e.value.code}"}} 1'
    assert failures in run(["curl", "-sf", "http://127.0.0.1:9897/metrics"], ns=node.ns).splitlines()
    assert series['strata_objects{kind="Pod"}'] == str(len(node.get("pod"))) != "0"
    assert run(["curl", "-sf", "http://127.0.0.1:9897/readyz"], ns=node.ns) == "ok\n"


def test_native_xdp_is_used_when_asked_for(lab, node):
    assert "native" in lab.pods["a"].port()["detail"]


def test_vhost_user_in_server_mode_with_two_queue_pairs(lab, node):
    vm = node.add_pod("vm", kind="vhost-user")
    vm.app = TestpmdPod(vm, mode="icmpecho", queues=2).start()
    wait_until(lambda: vm.port()["up"], "the port to be up")
    assert lab.pods["a"].ping(vm.address(4), count=5)
    assert "server" in vm.port()["detail"]
    vm.app.stop()


def test_watch_shows_a_change_when_it_comes(lab, node):
    watch = subprocess.Popen([STRATACTL, "-s", node.socket, "get", "ipinstance", "-w"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        address = node.add_pod("watched").address(4)
        end = time.monotonic() + 5
        while address not in watch.stdout.readline():
            assert time.monotonic() < end
    finally:
        watch.kill()
        watch.wait()


def test_json_is_what_kubectl_would_print(node):
    answer = json.loads(node.ctl("get", "subnet", "-o", "json"))
    assert answer["kind"] == "List" and answer["items"][0]["kind"] == "Subnet"
    assert json.loads(node.ctl("get", "network", "network-0", "-o", "json"))["spec"]["netID"] == 4
    assert json.loads(node.ctl("show", "version", "-o", "json"))[0]["node"] == "node1"


def test_steady_state_is_quiet(node):
    time.sleep(1)
    before = len(node.log())
    time.sleep(3)
    assert node.log()[before:] == ""


def test_stopped_daemon_leaves_nothing_of_its_own(node):
    assert node.stop() == 0
    assert not node.socket.exists()
    links = run("ip -br link", ns=node.ns)
    assert "strata0" not in links
    assert "strata" not in run("nft list tables", ns=node.ns)
    assert node.process.pid not in [int(p) for p in run("ip netns pids " + node.ns).split()]
