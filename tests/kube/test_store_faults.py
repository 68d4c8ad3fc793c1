"""The kube store when server and network fail: it converges, keeps what it has, and does not storm.

  store_tool ──TLS── proxy (6444) ──TLS── kube-apiserver (6443)     all in one namespace
"""
import json
import threading
import time

import pytest

from lab.apiserver import PROXY_PORT
from lab.certificates import Authority
from lab.shell import wait_until
from managertool import MERGE
from proxy import Proxy, answer, chunk
from storetool import StoreTool
from test_store import GROUP, network

NETWORKS = f"/apis/{GROUP}/v1/networks"
ALTERNATIVES = ["IP:127.0.0.1", "IP:192.0.2.1"]


@pytest.fixture
def proxy(apiserver):
    with Proxy(apiserver) as p:
        yield p
    apiserver.request("DELETE", NETWORKS)


@pytest.fixture
def kubeconfig(apiserver):
    return apiserver.write_kubeconfig(apiserver.directory / "proxy.kubeconfig", apiserver.tokens["admin"], port=PROXY_PORT)


@pytest.fixture
def tool(apiserver, proxy, kubeconfig):
    """Follows Networks through the proxy; one is there."""
    create(apiserver, "fault-first")
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as t:
        t.wait_synced(1)
        proxy.watches(1)
        yield t
    assert t.synced == ["Network"]  # once, whatever happened


def create(apiserver, name, net_id=4):
    status, answer = apiserver.request("POST", NETWORKS, network(name, net_id))
    assert status == 201, answer


def delete(apiserver, name):
    assert apiserver.request("DELETE", f"{NETWORKS}/{name}")[0] == 200


def test_a_watch_that_is_cut_in_mid_object_is_resumed_without_a_list(apiserver, proxy, tool):
    for i in range(5):
        proxy.watches(1)[0].cut_next = True
        create(apiserver, f"fault-cut-{i}")
        tool.wait_object("Network", f"fault-cut-{i}")
    assert proxy.count("list") == 1
    assert [e["object"]["metadata"]["name"] for e in tool.events if e["event"] == "PUT"] == \
        ["fault-first", *(f"fault-cut-{i}" for i in range(5))]
    assert tool.broken == []


def test_a_version_that_the_server_has_forgotten_is_listed_once_and_what_vanished_is_deleted(apiserver, proxy, tool):
    create(apiserver, "fault-stays")
    tool.wait_object("Network", "fault-stays")
    stream = proxy.watches(1)[0]
    stream.held = True  # what comes now is not seen
    delete(apiserver, "fault-first")
    create(apiserver, "fault-new")
    gone = {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
                                        "reason": "Expired", "message": "too old resource version: 1 (2)"}}
    proxy.send(stream, chunk(json.dumps(gone) + "\n"))
    tool.wait_gone("Network", "fault-first")
    tool.wait_object("Network", "fault-new")
    assert proxy.count("list") == 2
    puts = [e["object"]["metadata"]["name"] for e in tool.events if e["event"] == "PUT"]
    assert puts == ["fault-first", "fault-stays", "fault-new"]  # what did not change is not news


def test_a_watch_that_is_refused_with_410_is_listed_anew(apiserver, proxy, tool):
    proxy.fault("networks", "watch", answer=answer(410, json.dumps({"kind": "Status", "code": 410, "reason": "Expired"})))
    proxy.cut()
    create(apiserver, "fault-410")
    tool.wait_object("Network", "fault-410")
    assert proxy.count("list") == 2


@pytest.mark.parametrize("times", [3])
def test_a_server_that_is_busy_is_asked_again_when_it_says(apiserver, proxy, kubeconfig, times):
    status = json.dumps({"kind": "Status", "code": 429, "message": "too many requests"})
    proxy.fault("networks", "list", times=times, answer=answer(429, status, "Retry-After: 1\r\n"))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1)
        assert proxy.count("list") == times + 1
        at = [r.at for r in proxy.requests if r.verb == "list"]
        assert all(later - earlier >= 1 for earlier, later in zip(at, at[1:]))  # what the server asked for
        proxy.fault("fault-busy", "PATCH", times=2, answer=answer(429, status, "Retry-After: 1\r\n"))
        create(apiserver, "fault-busy")
        done = tool.do("patch", kind="Network", name="fault-busy", object={"metadata": {"labels": {"a": "b"}}})
        assert done["error"] == ""  # the caller sees nothing of it
        proxy.fault("fault-busy", "PATCH", times=20, answer=answer(429, status, "Retry-After: 0\r\n"))
        done = tool.do("patch", kind="Network", name="fault-busy", object={})
        assert (done["error"], done["message"]) == ("EAGAIN", "too many requests")


def test_a_server_that_fails_is_asked_again_but_not_in_a_storm(apiserver, proxy, kubeconfig):
    proxy.fault("networks", "list", times=3, answer=answer(500, "oh"))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1)
        assert proxy.count("list") == 4
        assert tool.log_text().count("cannot follow networks") == 1
        proxy.watches(1)
        proxy.fault("networks", "watch", times=2, answer=answer(500, "oh"))
        proxy.cut()
        create(apiserver, "fault-500")
        tool.wait_object("Network", "fault-500")
        assert proxy.count("list") == 4


def test_a_list_that_drips_is_given_up_and_made_anew(apiserver, proxy, kubeconfig):
    create(apiserver, "fault-drip")
    proxy.fault("networks", "list", drip=0.1)
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1, timeout=90)
        assert "fault-drip" in tool.names("Network")
        assert proxy.count("list") == 2


def test_a_watch_that_drips_an_object_is_given_up_and_resumed(apiserver, proxy, tool):
    proxy.fault("networks", "watch", drip=0.1)
    proxy.cut()
    wait_until(lambda: proxy.count("watch") == 2 and proxy.watches(1), "the watch is resumed")
    create(apiserver, "fault-drip")
    tool.wait_object("Network", "fault-drip", timeout=90)
    assert proxy.count("list") == 1


def test_a_server_that_never_answers_is_asked_again(apiserver, proxy, kubeconfig):
    proxy.fault("networks", "list", hang=True)
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1, timeout=90)
        assert proxy.count("list") == 2


def test_garbage_is_reported_once_and_the_watch_resumed(apiserver, proxy, tool):
    proxy.send(proxy.watches(1)[0], chunk(b"\x00\xff<html>what?</html>\n"))
    wait_until(lambda: proxy.count("watch") == 2, "the watch is resumed")
    create(apiserver, "fault-garbage")
    tool.wait_object("Network", "fault-garbage")
    lines = ("[]\n", '{"type":"ADDED","object":5}\n', '{"type":"ADDED","object":{"metadata":{}}}\n', "x" * 9_000_000)
    for i, line in enumerate(lines):
        proxy.send(proxy.watches(1)[-1], chunk(line))
        create(apiserver, f"fault-garbage-{i}")
        tool.wait_object("Network", f"fault-garbage-{i}")
    assert proxy.count("list") == 1
    assert tool.broken[0].startswith("the API server's watch of networks sent no object: '")
    assert len(tool.broken) == 5


def test_a_list_that_is_no_list_is_made_anew(apiserver, proxy, kubeconfig):
    for body in ("<html>", "{}", '{"metadata":{"resourceVersion":"5"},"items":{}}', ""):
        proxy.fault("networks", "list", answer=answer(200, body))
    proxy.fault("networks", "list", answer=answer(202))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1, timeout=90)
        assert proxy.count("list") == 6


def test_a_list_whose_rest_is_gone_begins_again(apiserver, proxy, kubeconfig):
    create(apiserver, "fault-rest")
    page = {"kind": "NetworkList", "metadata": {"resourceVersion": "5", "continue": "more"},
            "items": [network("fault-never", resourceVersion="4")]}
    proxy.fault("networks", "list", answer=answer(200, json.dumps(page)))
    proxy.fault("networks", "list", answer=answer(410, json.dumps({"kind": "Status", "code": 410, "reason": "Expired"})))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1)
        assert tool.names("Network") == ["fault-rest"]
        assert [r.query.get("continue") for r in proxy.requests if r.verb == "list"] == [None, ["more"], None]


def test_a_server_that_cannot_make_a_whole_list_is_asked_for_pages(apiserver, proxy, kubeconfig):
    create(apiserver, "fault-whole")
    proxy.fault("networks", "list", answer=answer(504, "no time"))
    with StoreTool(apiserver, "--kinds", "networks", "--from-cache", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1)
        assert tool.names("Network") == ["fault-whole"]
        asked = [(r.query.get("resourceVersion"), r.query.get("limit")) for r in proxy.requests if r.verb == "list"]
        assert asked == [(["0"], None), (None, ["500"])]


def test_a_whole_list_that_breaks_off_takes_nothing_away(apiserver, proxy, kubeconfig):
    for name in ("fault-half-1", "fault-half-2"):
        create(apiserver, name)
    half = {"kind": "NetworkList", "metadata": {"resourceVersion": "5"}, "items": [network("fault-half-1", resourceVersion="4")]}
    proxy.fault("networks", "list", answer=answer(200, json.dumps(half)[:-20]))
    with StoreTool(apiserver, "--kinds", "networks", "--from-cache", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1)
        assert tool.names("Network") == ["fault-half-1", "fault-half-2"]
        assert "DELETED" not in [e["event"] for e in tool.events]


@pytest.fixture
def many_nodes(apiserver):
    """251 NodeInfos, one with a name that no label can hold, and IPInstances of some of them, of none, and of one that has
    no NodeInfo."""
    for name in (*(f"part-{n}" for n in range(250)), LONG_NODE):
        status, text = apiserver.request("POST", NODES, {
            "apiVersion": f"{GROUP}/v1", "kind": "NodeInfo", "metadata": {"name": name}, "spec": {}})
        assert status == 201, text
    for i, node in enumerate(["part-0", "part-1", "part-130", "part-249", "part-stranger", None]):
        status, text = apiserver.request("POST", INSTANCES, part(f"10.0.9.{i}", node))
        assert status == 201, text
    yield {f"10-0-9-{i}" for i in range(6)}
    for path in (NODES, INSTANCES):
        apiserver.request("DELETE", path)


NODES = f"/apis/{GROUP}/v1/nodeinfoes"
INSTANCES = f"/apis/{GROUP}/v1/namespaces/default/ipinstances"
LONG_NODE = "part-" + "n" * 64


def part(ip, node):
    return {"apiVersion": f"{GROUP}/v1", "kind": "IPInstance",
            "metadata": {"name": ip.replace(".", "-"), "labels": {f"{GROUP}/node": node} if node else {}},
            "spec": {"network": "n", "subnet": "s", "address": {"version": "4", "ip": f"{ip}/24", "mac": "02:12:34:00:00:01"},
                     "binding": {"referredObject": {"kind": "Pod", "name": "p", "uid": "u"}, "nodeName": node or "", "podUID": "u",
                                 "podName": "p"}}}


def follow_parts(apiserver, kubeconfig, kinds="nodeinfoes,ipinstances"):
    return StoreTool(apiserver, "--kinds", kinds, "--from-cache", kubeconfig=kubeconfig)


def lists(proxy):
    """The requests for IPInstances: the operator of their selector, "" without one."""
    asked = [r.query for r in proxy.requests if (r.resource, r.verb) == ("ipinstances", "list")]
    assert all(q["resourceVersion"] == ["0"] for q in asked)
    return sorted(q["labelSelector"][0].split()[1] if "labelSelector" in q else "" for q in asked)


def test_the_ipinstances_of_many_nodes_come_in_parts(apiserver, proxy, kubeconfig, many_nodes):
    with follow_parts(apiserver, kubeconfig) as tool:
        tool.wait_synced(2)
        assert set(tool.names("IPInstance")) == many_nodes
        assert lists(proxy) == ["in", "in", "notin"]
        apiserver.request("POST", INSTANCES, part("10.0.9.9", "part-7"))
        tool.wait_object("IPInstance", "10-0-9-9", "default")
        assert lists(proxy) == ["in", "in", "notin"]


@pytest.mark.parametrize("kinds", ["nodeinfoes,ipinstances", "ipinstances"])
def test_without_many_nodes_the_ipinstances_come_as_a_whole(apiserver, proxy, kubeconfig, request, kinds):
    if "nodeinfoes" not in kinds:
        request.getfixturevalue("many_nodes")  # of which nobody hears
    with follow_parts(apiserver, kubeconfig, kinds) as tool:
        tool.wait_synced(len(kinds.split(",")))
        assert lists(proxy) == [""]


def test_what_changes_while_parts_arrive_is_told_whenever_its_part_came(apiserver, proxy, kubeconfig, many_nodes):
    gate = threading.Event()
    proxy.fault("ipinstances", "list", gate=gate)
    with follow_parts(apiserver, kubeconfig) as tool:
        # The part of those that have no known node is the last one, and is there: another one is still to come.
        tool.wait_object("IPInstance", "10-0-9-5", "default")
        assert apiserver.request("PATCH", f"{INSTANCES}/10-0-9-5", {"metadata": {"labels": {"a": "b"}}}, MERGE)[0] == 200
        assert apiserver.request("DELETE", f"{INSTANCES}/10-0-9-4")[0] == 200
        wait_until(lambda: apiserver.request("GET", f"{INSTANCES}/10-0-9-4?resourceVersion=0")[0] == 404,
                   "the API server's cache has it")
        assert "IPInstance" not in tool.synced
        gate.set()
        tool.wait_synced(2)
        tool.wait_object("IPInstance", "10-0-9-5", "default", lambda obj: obj["metadata"]["labels"] == {"a": "b"})
        tool.wait_gone("IPInstance", "10-0-9-4", "default")
        assert set(tool.names("IPInstance")) == many_nodes - {"10-0-9-4"}
        assert lists(proxy) == ["in", "in", "notin"]


def list_of_none(**meta):
    return json.dumps({"kind": "IPInstanceList", "metadata": meta, "items": []})


BAD_PARTS = {
    "504": answer(504, "no"),
    "400": answer(400, "no"),
    "no-list": answer(200, "{}"),
    "breaks-off": answer(200, list_of_none(resourceVersion="5")[:-9]),
    "version-is-no-number": answer(200, list_of_none(resourceVersion="5x")),
    "goes-on": answer(200, list_of_none(**{"resourceVersion": "5", "continue": "more"})),
}


@pytest.mark.parametrize("bad", BAD_PARTS.values(), ids=BAD_PARTS)
def test_when_a_part_fails_the_whole_is_asked_for(apiserver, proxy, kubeconfig, many_nodes, bad):
    proxy.fault("ipinstances", "list", answer=bad)
    with follow_parts(apiserver, kubeconfig) as tool:
        tool.wait_synced(2)
        assert set(tool.names("IPInstance")) == many_nodes
        assert lists(proxy)[0] == "" and len(lists(proxy)) <= 3
        puts = [e["object"]["metadata"]["name"] for e in tool.events if e["event"] == "PUT" and e["object"]["kind"] == "IPInstance"]
        assert len(puts) == len(many_nodes)
        assert "DELETED" not in [e["event"] for e in tool.events]


def test_a_kind_that_is_not_installed_is_waited_for(apiserver, proxy, kubeconfig):
    proxy.fault("networks", "list", times=3, answer=answer(404, "404 page not found"))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait_synced(1)
        assert proxy.count("list") == 4
        log = tool.log_text()
        assert log.count("the API server does not know networks of networking.alibaba.com/v1: is the CRD installed?") == 1
        assert log.count("the API server's networks are followed again") == 1


def test_a_token_that_expires_is_read_again(apiserver):
    apiserver.grant("fault-token")
    short = apiserver.token("fault-token", seconds=-48)  # a server grants a minute more
    file = apiserver.directory / "rotating-token"
    file.write_text(short)
    path = apiserver.write_kubeconfig(apiserver.directory / "rotating.kubeconfig", None)
    config = json.loads(path.read_text())
    config["users"][0]["user"] = {"tokenFile": str(file)}
    path.write_text(json.dumps(config))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=path) as tool:
        tool.wait_synced(1)
        wait_until(lambda: apiserver.request("GET", NETWORKS, token=short)[0] == 401, "the token is refused", timeout=60)
        file.write_text(apiserver.token("fault-token"))
        assert tool.do("create", object=network("fault-token"))["error"] == ""
        tool.wait_object("Network", "fault-token")
        assert tool.do("delete", kind="Network", name="fault-token")["error"] == ""


def test_a_server_of_another_authority_is_not_trusted_until_the_file_says_so(apiserver, proxy, tmp_path):
    ca = tmp_path / "ca.crt"
    ca.write_text((apiserver.pki / "ca.crt").read_text())
    path = apiserver.write_kubeconfig(tmp_path / "kubeconfig", apiserver.tokens["admin"], port=PROXY_PORT)
    config = json.loads(path.read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(ca)
    path.write_text(json.dumps(config))
    create(apiserver, "fault-ca")
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=path) as tool:
        tool.wait_synced(1)
        proxy.watches(1)
        other = Authority(tmp_path / "other")
        proxy.use_certificate(*other.issue("server", ALTERNATIVES))
        proxy.cut()
        tool.wait(lambda: "certificate" in tool.log_text(), "the certificate is not trusted")
        asked = len(proxy.requests)
        create(apiserver, "fault-ca-late")
        done = tool.do("get", kind="Network", name="fault-ca")
        assert done["error"] == "EACCES" and len(proxy.requests) == asked  # no token went to a stranger
        assert tool.names("Network") == ["fault-ca"]
        ca.write_text(other.certificate.read_text())
        tool.wait_object("Network", "fault-ca-late", timeout=90)
        assert proxy.count("list") == 1


def test_a_name_that_is_not_the_certificates_is_refused(apiserver, proxy, kubeconfig, tmp_path):
    proxy.use_certificate(*apiserver.authority.issue("elsewhere", ["DNS:elsewhere.example"]))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=kubeconfig) as tool:
        tool.wait(lambda: "the API server does not answer" in tool.log_text(), "it is refused")
        assert proxy.requests == []
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["tls-server-name"] = "elsewhere.example"
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with StoreTool(apiserver, "--kinds", "networks", kubeconfig=path) as tool:
        tool.wait_synced(1)


def test_a_server_that_dies_takes_nothing_with_it_and_is_found_again(apiserver):
    """Straight to the server, by HTTP/2; it is killed and comes back after several tries."""
    apiserver.grant("fault-dead")
    path = apiserver.write_kubeconfig(apiserver.directory / "dead.kubeconfig", apiserver.token("fault-dead"))
    kinds = ("networks", "subnets", "ipinstances", "nodeinfoes")
    create(apiserver, "fault-dead")
    with StoreTool(apiserver, "--kinds", ",".join(kinds), kubeconfig=path) as tool:
        tool.wait_synced(4)
        time.sleep(1)
        before = dict(tool.objects)
        apiserver.server.kill()
        tool.wait(lambda: "the API server does not answer" in tool.log_text(), "it is noticed")
        done = tool.do("get", kind="Network", name="fault-dead")
        assert done["error"] in ("ECONNREFUSED", "ECONNRESET") and "192.0.2.1:6443" in done["message"]
        time.sleep(10)
        assert tool.objects == before and tool.broken == []
        apiserver.server.start()
        apiserver.wait_ready()
        create(apiserver, "fault-alive")
        tool.wait_object("Network", "fault-alive", timeout=60)
        tool.wait(lambda: "the API server answers again" in tool.log_text(), "that is noticed")
        log = tool.log_text()  # not once for each kind and try
        assert log.count("the API server does not answer") == log.count("the API server answers again") == 1, log
        assert "cannot follow" not in log
        # The server knows no version from before its start: a list for each kind, and no more.
        for kind in kinds:
            assert len(apiserver.requests("fault-dead", "list", kind)) <= 2
    apiserver.request("DELETE", NETWORKS)
