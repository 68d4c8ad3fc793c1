"""The kube store against a real API server: what it brings, and what its mutations do."""
import json
import os

import pytest

from storetool import StoreTool

GROUP = "networking.alibaba.com"
OURS = ("--kinds", "networks,subnets,ipinstances,nodeinfoes")


def network(name, net_id=4, **metadata):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Network", "metadata": {"name": name, **metadata},
            "spec": {"netID": net_id, "type": "Overlay"}}


def pod(name, node=None, namespace="default", **metadata):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, **metadata},
            "spec": {**({"nodeName": node} if node else {}), "containers": [{"name": "c", "image": "i", "command": ["x"]}],
                     "automountServiceAccountToken": False}}


@pytest.fixture
def store(apiserver):
    with StoreTool(apiserver, *OURS) as tool:
        yield tool.wait_synced(4)


def spec_of(tool, name):
    return tool.do("get", kind="Network", name=name)["object"]["spec"]


def test_objects_are_listed_and_changes_follow(apiserver):
    apiserver.apply(network("store-a"))
    with StoreTool(apiserver, *OURS) as tool:
        tool.wait_synced(4)
        assert ("Network", "", "store-a") in tool.objects
        assert sorted(tool.synced) == ["IPInstance", "Network", "NodeInfo", "Subnet"]
        apiserver.apply(network("store-b", net_id=5))
        tool.wait_object("Network", "store-b")
        apiserver.apply(network("store-b", net_id=6))
        tool.wait_object("Network", "store-b", where=lambda o: o["spec"]["netID"] == 6)
        apiserver.kubectl("delete network store-a store-b")
        tool.wait_gone("Network", "store-a")
        tool.wait_gone("Network", "store-b")
        assert tool.broken == [] and len(tool.synced) == 4


def test_fields_that_nobody_reads_are_left_out(apiserver):
    apiserver.apply(network("store-thin", annotations={"a": "b"}), pod("store-thin", labels={"l": "m"}))
    with StoreTool(apiserver, "--kinds", "networks,pods") as tool:
        tool.wait_synced(2)
        thin = tool.objects["Network", "", "store-thin"]
        assert thin["metadata"]["annotations"] == {"a": "b"}
        assert "managedFields" not in json.dumps(thin)
        thin = tool.objects["Pod", "default", "store-thin"]
        assert (thin["apiVersion"], thin["kind"]) == ("v1", "Pod")
        assert thin["spec"] == {"containers": [{"name": "c"}]}
        assert thin["metadata"]["labels"] == {"l": "m"}
    apiserver.kubectl("delete network/store-thin pod/store-thin --force")


def test_a_node_gets_its_own_pods_only(apiserver):
    apiserver.apply(pod("store-here", node="n1"), pod("store-there", node="n2"), pod("store-nowhere"))
    with StoreTool(apiserver, "--kinds", "pods", "--node", "n1") as tool:
        tool.wait_synced(1)
        assert tool.names("Pod") == ["store-here"]
        apiserver.apply(pod("store-late", node="n1"))
        tool.wait_object("Pod", "store-late", "default")
        assert tool.names("Pod") == ["store-here", "store-late"]
    apiserver.kubectl("delete pod --force store-here store-there store-nowhere store-late")


def test_create_refuses_a_second(store):
    done = store.do("create", object=network("store-c"))
    assert done["error"] == "" and done["object"]["metadata"]["uid"]
    done = store.do("create", object=network("store-c"))
    assert done["error"] == "EEXIST"
    assert done["message"] == 'networks.networking.alibaba.com "store-c" already exists'
    assert store.do("delete", kind="Network", name="store-c")["error"] == ""
    assert store.do("delete", kind="Network", name="store-c")["error"] == "ENOENT"


def test_the_servers_reason_for_a_refusal_is_told(store):
    done = store.do("create", object=network("Store_C"))
    assert done["error"] == "EINVAL"
    assert 'Network.networking.alibaba.com "Store_C" is invalid: metadata.name' in done["message"]
    assert store.do("get", kind="Network", name="../pods")["error"] == "EINVAL"


def test_update_replaces_the_spec_and_keeps_what_others_wrote(apiserver, store):
    apiserver.apply(network("store-u", net_id=1))
    seen = store.wait_object("Network", "store-u")
    seen["spec"] = {"netID": 2, "type": "Overlay"}
    seen["metadata"]["labels"] = {"x": "y"}
    done = store.do("update", object=seen)
    assert done["error"] == "" and done["object"]["spec"]["netID"] == 2
    whole = apiserver.get(f"/apis/{GROUP}/v1/networks/store-u")
    assert "kubectl.kubernetes.io/last-applied-configuration" in whole["metadata"]["annotations"]
    done = store.do("update", object=seen)
    assert done["error"] == "ESTALE"
    del seen["metadata"]["resourceVersion"]
    assert store.do("update", object={**seen, "spec": {"netID": 3, "type": "Overlay"}})["error"] == ""
    assert spec_of(store, "store-u")["netID"] == 3
    assert store.do("update", object=network("store-none"))["error"] == "ENOENT"
    apiserver.kubectl("delete network store-u")


def test_updating_a_pod_leaves_its_containers_alone(apiserver):
    apiserver.apply(pod("store-p"))
    with StoreTool(apiserver, "--kinds", "pods") as tool:
        tool.wait_synced(1)
        seen = tool.objects["Pod", "default", "store-p"]
        seen["metadata"]["annotations"] = {"a": "b"}
        assert tool.do("update", object=seen)["error"] == ""
    whole = apiserver.get("/api/v1/namespaces/default/pods/store-p")
    assert whole["spec"]["containers"][0]["command"] == ["x"]
    assert whole["metadata"]["annotations"]["a"] == "b"
    apiserver.kubectl("delete pod store-p --force")


def test_status_is_a_thing_of_its_own(apiserver, store):
    store.do("create", object=network("store-s"))
    done = store.do("update", status=True, object={**network("store-s", net_id=9), "status": {"lastAllocatedSubnet": "s"}})
    assert done["error"] == ""
    whole = apiserver.get(f"/apis/{GROUP}/v1/networks/store-s")
    assert whole["spec"]["netID"] == 4 and whole["status"] == {"lastAllocatedSubnet": "s"}
    done = store.do("patch", status=True, kind="Network", name="store-s", object={"status": {"nodeList": ["n"]}})
    assert done["object"]["status"] == {"lastAllocatedSubnet": "s", "nodeList": ["n"]}
    done = store.do("update", status=True, object={**network("store-s"), "status": {"nodeList": ["m"]}})
    assert done["object"]["status"] == {"nodeList": ["m"]}
    store.do("delete", kind="Network", name="store-s")


def test_a_patch_is_conditional_if_it_names_a_version(store):
    version = store.do("create", object=network("store-m"))["object"]["metadata"]["resourceVersion"]
    patch = {"metadata": {"labels": {"a": "b"}, "resourceVersion": version}}
    assert store.do("patch", kind="Network", name="store-m", object=patch)["error"] == ""
    assert store.do("patch", kind="Network", name="store-m", object={"metadata": {
        "labels": {"a": "c"}, "resourceVersion": version}})["error"] == "ESTALE"
    assert store.do("patch", kind="Network", name="store-x", object={})["error"] == "ENOENT"
    store.do("delete", kind="Network", name="store-m")


def test_only_the_object_that_was_looked_at_is_deleted(store):
    meta = store.do("create", object=network("store-d"))["object"]["metadata"]
    assert store.do("delete", kind="Network", name="store-d", uid="another")["error"] == "ESTALE"
    store.do("patch", kind="Network", name="store-d", object={"metadata": {"labels": {"a": "b"}}})
    assert store.do("delete", kind="Network", name="store-d", uid=meta["uid"],
                    resourceVersion=meta["resourceVersion"])["error"] == "ESTALE"
    assert store.do("delete", kind="Network", name="store-d", uid=meta["uid"])["error"] == ""


def test_an_event_that_repeats_is_counted(apiserver, store):
    about = {"kind": "Network", "name": "store-e", "uid": f"u{os.getpid()}", "warning": True, "reason": "Tried"}
    path = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dstore-e"

    def events():
        return apiserver.get(path)["items"]

    for _ in range(3):
        store.do("event", message="in vain", **about)
    store.wait(lambda: [e["count"] for e in events()] == [3], "the event is counted")
    event = events()[0]
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "Tried", "in vain")
    assert event["source"] == {"component": "strata-test"}
    with StoreTool(apiserver, "--kinds", "networks") as second:  # as after a restart
        second.do("event", message="in vain", **about)
        second.wait(lambda: [e["count"] for e in events()] == [4], "the event is counted on")
    for i in range(60):  # a flood: similar ones become one, and most are not sent
        store.do("event", message=f"number {i}", **about)
    store.do("get", kind="Network", name="store-none")
    store.wait(lambda: any("combined" in e["message"] for e in events()), "similar events are combined")
    assert len(events()) <= 12 and sum(e["count"] for e in events()) <= 4 + 25


def test_many_orders_at_once_are_carried_out_and_a_list_comes_in_pages(apiserver, store):
    count = 520  # more than a page
    numbers = [store.begin("create", object=network(f"many-{i}", net_id=i)) for i in range(count)]
    assert {store.finish(n)["error"] for n in numbers} == {""}
    mine = sorted(f"many-{i}" for i in range(count))
    store.wait(lambda: [n for n in store.names("Network") if n.startswith("many-")] == mine, "all are there")
    with StoreTool(apiserver, "--kinds", "networks") as second:
        second.wait_synced(1)
        assert [n for n in second.names("Network") if n.startswith("many-")] == mine
    numbers = [store.begin("delete", kind="Network", name=name) for name in mine]
    assert {store.finish(n)["error"] for n in numbers} == {""}


def test_what_is_no_kind_of_ours_is_asked_for_raw(store):
    done = store.do("request", method="GET", path="/api/v1/namespaces/kube-system")
    assert done["status"] == 200 and done["object"]["metadata"]["name"] == "kube-system"
    done = store.do("request", method="GET", path="/api/v1/namespaces/nowhere")
    assert (done["error"], done["status"], done["message"]) == ("ENOENT", 404, 'namespaces "nowhere" not found')
    done = store.do("request", method="POST", path="/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", object={
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}})
    assert done["status"] == 201 and done["object"]["status"]["allowed"] is True
