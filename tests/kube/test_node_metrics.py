"""What a node's daemon tells Prometheus of its tables, and of the way on which it hears of the cluster."""
import re
import time

import pytest

from lab.shell import run, wait_until
from nodetool import NODE, started

KINDS = {"Network", "Subnet", "IPInstance", "NodeInfo", "Pod", "Node", "Namespace"}  # what the daemon follows


@pytest.fixture(scope="module")
def node_settings():
    return {"metrics": {"address": "127.0.0.1", "port": 9897}}


def scrape(node):
    """{name: {value of its label: number}}; "" for a series without a label."""
    text = run("curl -sf http://127.0.0.1:9897/metrics", ns=node.ns)
    out = {}
    for name, label, number in re.findall(r'^(\w+)(?:\{\w+="([^"]*)"\})? (\S+)$', text, re.M):
        out.setdefault(name, {})[label] = float(number)
    return out


def entries(node):
    return {k: int(v) for k, v in scrape(node)["strata_table_entries"].items()}


def test_the_tables_entries_are_counted_as_they_come_and_go(kube, node):
    before = entries(node)
    pod, _ = started(node, kube, "metrics-1")
    now = entries(node)
    for table in ("endpoint", "route", "nexthop", "port"):
        assert now[table] == before[table] + 1, table
    assert now["route"] == len(node.show("route")) and now["nexthop"] == len(node.show("nexthop"))
    assert now["port"] == len(node.show("port")) and now["subnet"] == 2
    pod.detach()
    wait_until(lambda: entries(node)["port"] == before["port"], lambda: entries(node))


def test_another_node_is_a_node_and_a_tunnel(kube, node):
    before = entries(node)
    mac = "02:00:00:00:00:02"
    kube.api.apply({"apiVersion": "networking.alibaba.com/v1", "kind": "NodeInfo", "metadata": {"name": "metrics-n2"},
                    "spec": {"vtepInfo": {"ip": "10.88.0.2", "mac": mac, "localIPs": ["10.88.0.2"]}}})
    wait_until(lambda: entries(node)["tunnel"] == before["tunnel"] + 1, lambda: entries(node))
    assert entries(node)["node"] == before["node"] + 1
    # Its tunnel asks for its outer next hop.
    wait_until(lambda: sum(scrape(node)["strata_neighbours"].values()) == len(node.show("neighbour")) > 0,
               lambda: scrape(node)["strata_neighbours"])
    kube.api.kubectl("delete nodeinfo metrics-n2")
    wait_until(lambda: entries(node) == before, lambda: f"{entries(node)}, not {before}")


def test_no_table_is_beyond_its_limit(node):
    limits = scrape(node)["strata_table_entries_limit"]
    assert set(limits) == {"nexthop", "port", "route"}
    assert all(0 < entries(node)[table] < limit for table, limit in limits.items())


def test_every_kind_s_watch_is_connected_and_its_news_have_a_time(kube, node):
    wait_until(lambda: scrape(node)["strata_api_watch_connected"] == dict.fromkeys(KINDS, 1.0),
               lambda: scrape(node)["strata_api_watch_connected"])
    assert scrape(node)["strata_api_lists_total"] == dict.fromkeys(KINDS, 1.0)
    before = scrape(node)["strata_api_last_news_timestamp_seconds"]
    time.sleep(1.1)  # the metric has whole seconds
    status, _ = kube.api.request("PATCH", f"/api/v1/nodes/{NODE}", {"metadata": {"labels": {"news": "yes"}}},
                                 "application/merge-patch+json")
    assert status == 200
    news = wait_until(lambda: (n := scrape(node)["strata_api_last_news_timestamp_seconds"])["Node"] > before["Node"] and n, "the news")
    assert abs(news["Node"] - time.time()) < 30
    assert news["Namespace"] <= news["Node"]


def test_a_server_that_is_away_is_seen_and_its_return_too(kube, node):
    kube.api.server.kill()
    try:
        wait_until(lambda: not any(scrape(node)["strata_api_watch_connected"].values()),
                   lambda: scrape(node)["strata_api_watch_connected"], timeout=30)
    finally:
        kube.api.server.start()
        kube.api.wait_ready()
    wait_until(lambda: all(scrape(node)["strata_api_watch_connected"].values()),
               lambda: scrape(node)["strata_api_watch_connected"], timeout=60)


def test_names_and_types_are_what_prometheus_wants(node):
    """Each metric is described once, before its series; counters end in _total."""
    described = {}
    for line in run("curl -sf http://127.0.0.1:9897/metrics", ns=node.ns).splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in described and re.fullmatch(r"strata_[a-z_]+", name)
            assert name.endswith("_total") == (kind == "counter"), name
            described[name] = kind
        elif not line.startswith("#"):
            name = re.match(r"\w+", line).group()
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in described or described.get(base) == "histogram", line
