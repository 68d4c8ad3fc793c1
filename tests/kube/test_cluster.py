"""The article, played with kubectl on a cluster of two nodes.

With STRATA_TRANSCRIPT=FILE every command and its answer are written there; doc/article.md came to be so.
"""
import os
import pathlib

import pytest
from pods import pod, stateful_set

from lab.shell import CommandError, wait_until

ARTICLE = pathlib.Path(__file__).resolve().parents[1] / "e2e/article.yaml"
SECOND_FAMILY = """
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata:
  name: subnet-6-network-0
spec:
  network: network-0
  range: {version: "6", cidr: "fd00:64::/64"}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata:
  name: underlay-subnet1-6
spec:
  network: underlay-network1
  netID: 0
  range: {version: "6", cidr: "fd00:56::/64", gateway: "fd00:56::fe", start: "fd00:56::100", end: "fd00:56::1ff"}
"""
TRANSCRIPT = os.environ.get("STRATA_TRANSCRIPT")


@pytest.fixture(scope="module")
def kubectl(cluster):
    """kubectl as an operator types it; goes to the transcript."""
    def call(line, input=None, file=None):
        args = line.split() + (["-f", "-"] if input is not None else [])
        try:
            out, error = cluster.kubectl(args, input=input), None
        except CommandError as e:
            out, error = str(e).split("\n", 1)[1], e
        if TRANSCRIPT:
            with open(TRANSCRIPT, "a") as f:
                f.write(f"$ kubectl {line}{f' -f {file}' if file else ''}\n{out}\n")
        if error is not None:
            raise error
        return out

    return call


def words(text):
    return [line.split() for line in text.splitlines() if line]


def refusal(kubectl, line):
    with pytest.raises(CommandError) as e:
        kubectl(line)
    return str(e.value)


def test_the_first_installation_brings_the_default_overlay_network(cluster, kubectl):
    wait_until(lambda: "65533" in cluster.kubectl("get network,subnet"), "the default Subnet's status")
    wait_until(lambda: "65533" in cluster.kubectl("get network"), "the default Network's status")
    heading, row = words(kubectl("get network"))
    assert heading[:5] == ["NAME", "NETID", "SWITCHID", "TYPE", "MODE"]
    assert row[:4] == ["network-0", "4", "virtual-switch", "Overlay"]
    heading, row = words(kubectl("get subnet"))
    assert heading == "NAME VERSION CIDR START END GATEWAY TOTAL USED AVAILABLE NETID NETWORK".split()
    assert row[:3] == ["subnet-0-network-0", "4", "100.64.0.0/16"]


def test_prometheus_finds_the_node_s_metrics_where_the_pod_says(cluster):
    for name, node in cluster.nodes.items():
        port = cluster.pod(cluster.strata_pod(name), "kube-system")["metadata"]["annotations"]["prometheus.io/port"]
        metrics = node.run(["curl", "-sf", f"http://127.0.0.1:{port}/metrics"]).splitlines()
        assert 'strata_objects{kind="Network"} 1' in metrics and "strata_objects_synced 1" in metrics


def test_pods_that_ask_for_nothing_are_on_the_overlay_and_reach_each_other_across_nodes(cluster, kubectl):
    cluster.api.apply(pod("overlay-1", "n1"), pod("overlay-2", "n2"))
    cluster.wait_pods(["overlay-1", "overlay-2"])
    kubectl("get pod -o wide")
    first, second = (cluster.addresses(name)[0] for name in ("overlay-1", "overlay-2"))
    assert first.startswith("100.64.") and second.startswith("100.64.") and first != second
    assert cluster.ping("overlay-1", second) and cluster.ping("overlay-2", first)


def test_the_article_s_underlay_is_for_labelled_nodes_only(cluster, kubectl):
    kubectl("apply", input=ARTICLE.read_text(), file="underlay.yaml")
    kubectl("label node n1 network=network1")
    wait_until(lambda: cluster.api.get("/apis/networking.alibaba.com/v1/networks/underlay-network1").get("status", {}).get(
        "nodeList") == ["n1"], "the node in the Network's status")
    wait_until(lambda: "networking.alibaba.com/underlay-network-attachment" in
               cluster.api.get("/api/v1/nodes/n1")["metadata"]["labels"], "the node's attachment label")
    kubectl("get network")


def test_a_stateful_set_s_pods_get_the_first_addresses_of_the_range_on_the_labelled_node(cluster, kubectl):
    cluster.api.apply(stateful_set("curl-ss", 2, network="Underlay"))
    kubectl("rollout status statefulset/curl-ss --timeout=90s")
    kubectl("get pod -o wide -l app=curl-ss")
    for index in (0, 1):
        assert cluster.addresses(f"curl-ss-{index}") == [f"192.168.56.{100 + index}"]
        assert cluster.pod(f"curl-ss-{index}")["spec"]["nodeName"] == "n1"
    assert cluster.ping("curl-ss-0", "192.168.56.254"), "the gateway of the physical network"


def test_objects_are_shown_in_the_article_s_and_hybridnet_s_columns(cluster, kubectl):
    row = "underlay-subnet1 4 192.168.56.0/24 192.168.56.100 192.168.56.150 192.168.56.254 51 2 49 0 underlay-network1"
    wait_until(lambda: row.split() in words(cluster.kubectl("get subnet")), lambda: cluster.kubectl("get subnet"))
    assert row.split() in words(kubectl("get subnet"))
    heading, *rows = words(kubectl("get ipinstance"))
    assert heading == "NAME IP GATEWAY PODNAME NODE SUBNET NETWORK".split()
    assert "192-168-56-100 192.168.56.100/24 192.168.56.254 curl-ss-0 n1 underlay-subnet1 underlay-network1".split() in rows
    assert "ipinstance.networking.alibaba.com/192-168-56-101" in kubectl("get network,subnet,ipinstance")


def test_overlay_and_underlay_pods_reach_each_other_in_both_families(cluster, kubectl):
    kubectl("apply", input=SECOND_FAMILY, file="second-family.yaml")
    names = {"dual-o1": ("n1", "Overlay"), "dual-o2": ("n2", "Overlay"), "dual-u1": ("n1", "Underlay"), "dual-u2": ("n1", "Underlay")}
    cluster.api.apply(*(pod(name, node, network, "DualStack") for name, (node, network) in names.items()))
    cluster.wait_pods(list(names))
    kubectl("get ipinstance")
    addresses = {name: cluster.addresses(name) for name in names}
    assert all(len(a) == 2 for a in addresses.values())
    failed = [(a, b) for a in names for b in names if a != b for ip in addresses[b] if not cluster.ping(a, ip)]
    assert failed == []


def test_a_node_reaches_its_pods_as_kubelet_s_probes_do(cluster):
    for name in ("overlay-1", "curl-ss-0"):
        cluster.nodes["n1"].run(["ping", "-c", "1", "-W", "3", cluster.addresses(name)[0]])


def test_stateful_pods_keep_address_and_mac(cluster, kubectl):
    before = cluster.api.get("/apis/networking.alibaba.com/v1/namespaces/default/ipinstances/192-168-56-100")["spec"]
    old = cluster.pod("curl-ss-0")["metadata"]["uid"]
    kubectl("delete pod curl-ss-0")
    wait_until(lambda: cluster.pods("default", "app=curl-ss") and _is_new(cluster, "curl-ss-0", old), "the Pod's successor", timeout=60)
    cluster.wait_pods(["curl-ss-0"])
    after = cluster.api.get("/apis/networking.alibaba.com/v1/namespaces/default/ipinstances/192-168-56-100")["spec"]
    assert cluster.addresses("curl-ss-0") == ["192.168.56.100"]
    assert after["address"]["mac"] == before["address"]["mac"]
    assert cluster.ping("overlay-2", "192.168.56.100")


def _is_new(cluster, name, old):
    status, found = cluster.api.request("GET", f"/api/v1/namespaces/default/pods/{name}")
    return status == 200 and found["metadata"]["uid"] != old


def test_pods_of_an_unknown_network_are_refused_by_the_webhook(cluster):
    wrong = pod("wrong", "n1")
    wrong["metadata"]["annotations"]["networking.alibaba.com/specified-network"] = "nowhere"
    with pytest.raises(CommandError, match="nowhere"):
        cluster.api.apply(wrong)


def test_the_default_type_may_be_switched(cluster, kubectl):
    cluster.install("defaultNetworkType=Underlay")
    cluster.api.apply(pod("default-1"))
    cluster.wait_pods(["default-1"])
    kubectl("get pod default-1 -o wide")
    assert cluster.addresses("default-1")[0].startswith("192.168.56.")
    assert cluster.pod("default-1")["spec"]["nodeName"] == "n1"
    # Those that were there before have been left alone, and go on.
    assert cluster.ping("overlay-1", cluster.addresses("overlay-2")[0])


def test_subnet_and_network_are_only_deleted_when_nothing_uses_them(cluster, kubectl):
    assert "still have using ips" in refusal(kubectl, "delete subnet underlay-subnet1")
    assert "still have child subnet" in refusal(kubectl, "delete network underlay-network1")
    kubectl("delete statefulset curl-ss")
    kubectl("delete pod dual-u1 dual-u2 dual-o1 dual-o2 default-1")
    wait_until(lambda: not any("underlay" in i["spec"]["subnet"] for i in cluster.api.objects("ipinstances")),
               lambda: cluster.kubectl("get ipinstance"), timeout=60)
    kubectl("delete subnet underlay-subnet1 underlay-subnet1-6")
    kubectl("delete network underlay-network1")
    assert "underlay" not in kubectl("get network")
