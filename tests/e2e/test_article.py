"""The article's underlay Network and Subnet, put into the directory as they were printed."""
import pathlib

import pytest
from lab.shell import CommandError, wait_until

ARTICLE = pathlib.Path(__file__).with_name("article.yaml")


@pytest.fixture(scope="module")
def node(lab, add_node):
    return add_node(1)


def words(text):
    return [line.split() for line in text.splitlines()]


def test_default_objects_are_there_after_the_first_start(node):
    wait_until(lambda: node.get("subnet"), "the default Subnet")
    wait_until(lambda: "65533" in node.ctl("get", "subnet"), lambda: node.ctl("get", "subnet"))
    heading, row = words(node.ctl("get", "network"))
    assert heading[:3] == ["NAME", "NETID", "SWITCHID"]
    assert row[:3] == ["network-0", "4", "virtual-switch"]
    heading, row = words(node.ctl("get", "subnet"))
    assert heading == "NAME VERSION CIDR START END GATEWAY TOTAL USED AVAILABLE NETID NETWORK".split()
    assert row == "subnet-0-network-0 4 100.64.0.0/16 100.64.0.1 65533 0 65533 network-0".split()


def test_first_underlay_pod_gets_the_first_address_of_the_range(lab, node):
    lab.put("underlay.yaml", ARTICLE.read_text())
    wait_until(lambda: "underlay-subnet1" in node.ctl("get", "subnet"), "the Subnet")
    pod = node.add_pod("curl-ss-0", network="Underlay")
    assert pod.addresses() == ["192.168.56.100"]
    assert pod.ping("192.168.56.254")
    assert node.add_pod("curl-ss-1", network="Underlay").addresses() == ["192.168.56.101"]


def test_subnet_is_shown_in_the_columns_of_the_article(node):
    row = "underlay-subnet1 4 192.168.56.0/24 192.168.56.100 192.168.56.150 192.168.56.254 51 2 49 0 underlay-network1"
    wait_until(lambda: row.split() in words(node.ctl("get", "subnet")), lambda: node.ctl("get", "subnet"))


def test_users_file_is_left_as_it_is(lab, node):
    assert (lab.objects / "underlay.yaml").read_text() == ARTICLE.read_text()


def refusal(node, *what):
    with pytest.raises(CommandError) as e:
        node.ctl("delete", *what)
    return str(e.value)


def test_subnet_in_use_and_network_with_subnets_cannot_be_deleted(node):
    assert "still have using ips" in refusal(node, "subnet", "underlay-subnet1")
    assert "still have child subnet underlay-subnet1" in refusal(node, "network", "underlay-network1")


def test_file_removed_by_hand_while_in_use_stays_in_force_and_is_reported(lab, node):
    (lab.objects / "underlay.yaml").unlink()
    wait_until(lambda: "underlay-subnet1" in node.log(), "a log line that names the Subnet")
    assert lab.pods["curl-ss-0"].ping("192.168.56.254")
    assert "underlay-subnet1" in node.ctl("get", "subnet")
    lab.put("underlay.yaml", ARTICLE.read_text())


def test_subnet_and_network_go_when_nothing_uses_them(lab, node):
    for name in ("curl-ss-0", "curl-ss-1"):
        lab.pods[name].detach()
    wait_until(lambda: "192.168.56" not in node.ctl("get", "ipinstance", check=False), "the addresses to be released")
    node.ctl("delete", "subnet", "underlay-subnet1")
    node.ctl("delete", "network", "underlay-network1")
    wait_until(lambda: "underlay" not in node.ctl("get", "network"), "the Network to go")
