"""The plugin as runtimes call it."""
import pytest
from lab.node import CniError
from lab.shell import run


@pytest.fixture(scope="module")
def node(lab, add_node):
    return add_node(1)


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_result_is_in_the_version_that_was_asked_for(node, version):
    pod = node.add_pod(f"v{version.replace('.', '-')}", version=version)
    assert pod.result["cniVersion"] == version
    assert pod.result["interfaces"][1]["sandbox"] == pod.netns
    assert ("version" in pod.result["ips"][0]) == (version < "1")
    assert ("mtu" in pod.result["interfaces"][1]) == (version == "1.1.0")
    assert {"dst": "0.0.0.0/0", "gw": "169.254.1.1"} in pod.result["routes"]
    pod.detach()


def test_interface_gets_the_name_that_the_runtime_chose(node):
    pod = node.add_pod("named", ifname="net1")
    assert pod.result["interfaces"][1]["name"] == "net1"
    assert "net1" in pod.exec("ip -br link")
    pod.detach()
    assert "net1" not in pod.exec("ip -br link")


def test_results_of_earlier_plugins_are_kept(node, lab):
    ns = f"{lab.prefix}chained"
    run(f"ip netns add {ns}")
    prev = {"cniVersion": "1.0.0", "interfaces": [{"name": "lo"}], "ips": [{"address": "127.0.0.1/8", "interface": 0}]}
    result = node.cni("ADD", container="chained", netns=f"/var/run/netns/{ns}", version="1.0.0",
                      args={"K8S_POD_NAME": "chained"}, config={"prevResult": prev})
    assert result["interfaces"][0]["name"] == "lo" and result["ips"][0]["interface"] == 0
    assert result["ips"][1]["interface"] == 2


def test_unknown_version_is_refused_with_its_code(node):
    with pytest.raises(CniError) as e:
        node.cni("ADD", container="x", netns="/x", version="9.0.0")
    assert e.value.code == 1


def test_status_is_good_while_the_daemon_takes_pods(node):
    assert node.cni("STATUS") == {}
