"""A stateful pod's next life: deleted, moved to the other node, or evicted by kubelet, it keeps addresses and MAC, and who was talking
to it (an overlay pod, an underlay pod, a host on the VLAN) goes on doing so."""
import json
import re
import time

import pytest
from pods import pod, stateful_set

from lab.apiserver import GROUP
from lab.shell import Process, wait_until

VLAN = """
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {name: moves}
spec: {type: Underlay, netID: 56, nodeSelector: {moves: "yes"}}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: moves-4}
spec: {network: moves, range: {version: "4", cidr: 10.58.0.0/24, gateway: 10.58.0.254, start: 10.58.0.100, end: 10.58.0.199}}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: moves-6}
spec: {network: moves, range: {version: "6", cidr: "fd00:58::/64", gateway: "fd00:58::fe", start: "fd00:58::100", end: "fd00:58::1ff"}}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: moves-overlay-6}
spec: {network: network-0, range: {version: "6", cidr: "fd00:66::/64"}}
"""
MOVERS = {"moves-u-0": "Underlay", "moves-o-0": "Overlay"}
PERIOD = 0.1  # of the pings
FOLLOWS = 1.0  # seconds after the new pod is up, by which everybody must have found it
SCRATCH = [{"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}]  # kubelet evicts a pod that puts more there
WATCHED = 3.0  # seconds after that, without a loss


@pytest.fixture(scope="module", autouse=True)
def movers(cluster):
    cluster.fabric.add_gateway("gw-moves", 56, ["10.58.0.254/24", "fd00:58::fe/64"])
    cluster.kubectl("label node n1 n2 moves=yes")
    wait_until(lambda: "network-0" in cluster.kubectl("get network"), "the default Network", timeout=60)
    cluster.api.apply(VLAN)
    wait_until(lambda: cluster.api.get(f"/apis/{GROUP}/v1/networks/moves").get("status", {}).get("nodeList") == ["n1", "n2"],
               "the Network's nodes", timeout=60)
    cluster.api.apply(pod("peer-o", "n1", "Overlay", "DualStack"), pod("peer-u", "n1", "Underlay", "DualStack"),
                      *(with_scratch(stateful_set(name[:-2], 1, network, "DualStack")) for name, network in MOVERS.items()))
    for name in MOVERS:
        wait_until(lambda: exists(cluster, name), name, timeout=60)
    cluster.wait_pods(["peer-o", "peer-u", *MOVERS])
    yield
    cluster.kubectl("delete statefulset " + " ".join(name[:-2] for name in MOVERS))
    cluster.kubectl("delete pod peer-o peer-u")
    wait_until(lambda: not any("moves" in i["spec"]["subnet"] for i in cluster.api.objects("ipinstances")),
               lambda: cluster.kubectl("get ipinstance"), timeout=60)
    cluster.kubectl("delete subnet moves-4 moves-6 moves-overlay-6")
    cluster.kubectl("delete network moves")
    cluster.kubectl("label node n1 n2 moves-")


def with_scratch(stateful):
    spec = stateful["spec"]["template"]["spec"]
    spec["volumes"] = SCRATCH
    spec["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/scratch"}]
    return stateful


def exists(cluster, name):
    return cluster.api.request("GET", f"/api/v1/namespaces/default/pods/{name}")[0] == 200


def allotted(cluster, name):
    """Address and MAC of each of the pod's IPInstances."""
    return sorted((i["spec"]["address"]["ip"], i["spec"]["address"]["mac"]) for i in cluster.api.objects("ipinstances", "default")
                  if i["spec"]["binding"].get("podName") == name)


def holders(cluster, name):
    """Whether a sandbox has it, and on which node, of each of the pod's IPInstances."""
    return [("sandboxID" in i["status"], i["status"].get("nodeName")) for i in cluster.api.objects("ipinstances", "default")
            if i["spec"]["binding"].get("podName") == name]


def netns_of(cluster, node, name):
    """Where the pod's link is, as the daemon noted it down."""
    for path in (cluster.nodes[node].directory / "lib-strata/attachments").glob("*.json"):
        attachment = json.loads(path.read_text())
        if attachment["pod"] == name:
            return attachment["netns"]
    raise AssertionError(f"{name} has no port on {node}")


class Pings:
    """Pings of everybody to the movers, all the time."""

    def __init__(self, cluster):
        self.series = {}
        inside = {who: cluster.nodes["n1"].inside(["nsenter", f"--net={netns_of(cluster, 'n1', who)}"]) for who in ("peer-o", "peer-u")}
        inside["outside"] = ["ip", "netns", "exec", cluster.fabric.ns]
        for name, network in MOVERS.items():
            for who, prefix in inside.items():
                if who == "outside" and network == "Overlay":
                    continue  # cannot be reached from there
                for address in cluster.addresses(name):
                    log = cluster.directory / f"ping-{who}-{address.replace(':', '.')}-{time.monotonic_ns()}.log"
                    argv = [*prefix, "stdbuf", "-oL", "ping", "-D", "-n", "-i", str(PERIOD), address]
                    self.series[who, name, address] = Process.start(argv, log)

    def answers(self, key):
        """{sequence number: time of the answer}"""
        return {int(n): float(at) for at, n in re.findall(r"^\[([\d.]+)\] .*icmp_seq=(\d+) .*time=", self.series[key].log_text(), re.M)}

    def stop(self):
        for process in self.series.values():
            process.stop()


@pytest.fixture
def pings(cluster):
    out = Pings(cluster)
    try:
        wait_until(lambda: all(out.answers(key) for key in out.series),
                   lambda: f"no answer: {[key for key in out.series if not out.answers(key)]}", timeout=10)
        yield out
    finally:
        out.stop()


def wait_successor(cluster, name, old):
    """When the pod's successor was seen up; its node."""
    def up():
        status, found = cluster.api.request("GET", f"/api/v1/namespaces/default/pods/{name}")
        return found if status == 200 and found["metadata"]["uid"] != old and is_ready(found) else None

    found = wait_until(up, lambda: f"{name}'s successor\n{cluster.logs()}", timeout=120)
    return time.time(), found["spec"]["nodeName"]


def is_ready(found):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in found.get("status", {}).get("conditions", []))


def follows(pings, up):
    """For each series: how long after the pod was up it had its first answer, and how many were lost once it had to follow."""
    late, lost = {}, {}
    for key in pings.series:
        answers = pings.answers(key)
        who, name, _ = key
        late[key] = min((at for at in answers.values() if at > up[name]), default=float("inf")) - up[name]
        after = [n for n, at in answers.items() if at > up[name] + FOLLOWS]
        wanted = int((WATCHED - FOLLOWS) / PERIOD * 0.9)
        gaps = [n for n in range(min(after), max(after)) if n not in answers] if after else None
        lost[key] = gaps if after and len(after) >= wanted else f"only {len(after)} of {wanted} answers"
    return late, lost


def next_life(cluster, pings, end):
    """end() ends each pod; the next one must be the same to everybody."""
    before = {name: (cluster.pod(name)["metadata"]["uid"], allotted(cluster, name)) for name in MOVERS}
    assert all(len(addresses) == 2 for _, addresses in before.values())
    end()
    up, nodes = {}, {}
    for name in MOVERS:
        up[name], nodes[name] = wait_successor(cluster, name, before[name][0])
    time.sleep(WATCHED + 0.3)
    late, lost = follows(pings, up)
    print(f"first answers after the pods were up: at most {max(late.values()) * 1000:.0f} ms")
    assert not any(lost.values()), {key: gaps for key, gaps in lost.items() if gaps}
    assert {name: allotted(cluster, name) for name in MOVERS} == {name: addresses for name, (_, addresses) in before.items()}
    for name in MOVERS:
        assert [has_sandbox and node for has_sandbox, node in holders(cluster, name)] == [nodes[name]] * 2, name
    return nodes


def test_a_deleted_pod_s_successor_is_who_it_was(cluster, pings):
    next_life(cluster, pings, lambda: [cluster.api.request("DELETE", f"/api/v1/namespaces/default/pods/{name}") for name in MOVERS])


def test_a_pod_that_moves_to_the_other_node_is_who_it_was(cluster, pings):
    for _ in range(2):  # there and back: one of them leaves the peers' node
        node = cluster.pod("moves-u-0")["spec"]["nodeName"]
        cluster.kubectl(f"cordon {node}")
        try:
            nodes = next_life(cluster, pings, lambda: [cluster.api.request("DELETE", f"/api/v1/namespaces/default/pods/{name}")
                                                       for name in MOVERS])
        finally:
            cluster.kubectl(f"uncordon {node}")
        assert node not in nodes.values()


def evict(cluster):
    """Lets kubelet end the pods, as it does when a node runs out of something."""
    old = {cluster.pod(name)["metadata"]["uid"] for name in MOVERS}
    for name in MOVERS:
        cluster.exec(name, ["sh", "-c", "cat /bin/busybox /bin/busybox >/scratch/too-much"])

    def evicted():
        return {e["involvedObject"].get("uid") for e in cluster.api.get("/api/v1/namespaces/default/events")["items"]
                if e["reason"] == "Evicted"}

    wait_until(lambda: old <= evicted(), "kubelet to evict them", timeout=90, interval=0.2)


def test_a_pod_that_kubelet_evicts_is_who_it_was_in_its_next_life(cluster, pings):
    next_life(cluster, pings, lambda: evict(cluster))


def test_a_pod_that_kubelet_evicts_may_go_on_on_the_other_node(cluster, pings):
    node = cluster.pod("moves-u-0")["spec"]["nodeName"]
    cluster.kubectl(f"cordon {node}")
    try:
        nodes = next_life(cluster, pings, lambda: evict(cluster))
    finally:
        cluster.kubectl(f"uncordon {node}")
    assert node not in nodes.values()
