// Why packets are dropped. Every drop has one of these reasons and is counted on the port where
// the packet came in; `stratactl show drop` prints them with these names and texts.
#pragma once

// X(name, text): DROP_<name> and its explanation for operators.
#define DROP_REASONS(X)                                                                        \
	X(MALFORMED, "a header is cut short or its fields contradict each other")              \
	X(BAD_CHECKSUM, "the checksum of an IPv4 header or of neighbour discovery is wrong")   \
	X(UNKNOWN_ETHERTYPE, "neither IPv4, IPv6 nor ARP")                                     \
	X(SPOOFED_MAC, "the sender's MAC address is not this port's")                          \
	X(SPOOFED_IP, "the sender's IP address is not this port's")                            \
	X(MULTICAST, "multicast or broadcast, which pods do not exchange")                     \
	X(TTL_EXCEEDED, "TTL or hop limit ran out")                                            \
	X(NO_SUCH_POD, "the destination is in a Subnet but belongs to no pod")                 \
	X(NO_ROUTE, "nothing knows the way to the destination")                                \
	X(NAT_DISABLED, "leaves the cluster although its Subnet has autoNatOutgoing off")      \
	X(NO_HOST, "for the host, but there is no host port")                                  \
	X(NO_UPLINK, "for the wire, but there is no uplink")                                   \
	X(NO_VTEP, "for a tunnel, but this node lacks a VTEP address of that family or a VNI") \
	X(NEIGHBOUR_PENDING, "waits for the neighbour's MAC address")                          \
	X(NEIGHBOUR_FAILED, "the neighbour does not answer")                                   \
	X(UNKNOWN_VLAN, "no Network on this node has that VLAN")                               \
	X(UNKNOWN_VNI, "not the Overlay Network's VNI, or VXLAN flags are wrong")              \
	X(TUNNEL_FRAGMENT, "a fragment of a VXLAN packet, which no VTEP may send")             \
	X(ECN_INVALID, "congestion was marked on a tunnel whose inner packet cannot carry it") \
	X(NOT_FOR_US, "for another station, or for a pod that is not on this node")            \
	X(ARP_IGNORED, "ARP or neighbour discovery that needs no answer")                      \
	X(TO_GATEWAY, "for the virtual gateway, which answers nothing but ping")               \
	X(TOO_BIG, "longer than the MTU of its way out")                                       \
	X(NO_HEADROOM, "no room in the buffer for the headers it needs")                       \
	X(RATE_LIMITED, "an ICMP error that was not sent since its port's rate was used up")   \
	X(PORT_DOWN, "its port is gone or has no peer")                                        \
	X(TX_FULL, "its port takes no more packets at the moment")

enum drop_reason {
#define DROP_ENUM(name, text) DROP_##name,
	DROP_REASONS(DROP_ENUM)
#undef DROP_ENUM
	DROP_REASON_COUNT
};

// "SPOOFED_MAC", and its text. Only for reasons below DROP_REASON_COUNT.
const char *drop_name(enum drop_reason reason);
const char *drop_text(enum drop_reason reason);
