// The frames that neighbour discovery needs, both families: requests (ARP request, neighbour
// solicitation), probes for duplicates, announcements (gratuitous ARP, unsolicited advertisement).
// Complete Ethernet frames, VLAN tag and padding included. Pure.
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#define NEIGHBOUR_FRAME_MAX 96

// Who speaks: the uplink's MAC address, and the VLAN (0: no tag).
struct neighbour_speaker {
	uint8_t mac[6];
	uint16_t vlan;
};

// "Who has target? Tell sender." To dst, or to all (ARP) or to target's group (ND) if that is
// NULL. An unspecified sender makes it a probe, to which only a duplicate answers and which
// changes nobody's cache. Returns the frame's length.
uint16_t neighbour_frame_request(uint8_t buf[NEIGHBOUR_FRAME_MAX],
	const struct neighbour_speaker *from, const struct in6_addr *sender,
	const struct in6_addr *target, const uint8_t *dst);

enum neighbour_announcement {
	NEIGHBOUR_ANNOUNCE_REQUEST, // gratuitous ARP request, what RFC 5227 calls an announcement
	NEIGHBOUR_ANNOUNCE_REPLY, // gratuitous ARP reply: some stations only believe those
	NEIGHBOUR_ANNOUNCE_ND, // unsolicited neighbour advertisement with the override flag
};

// "ip is at my address", to everybody. The form has to be of ip's family.
uint16_t neighbour_frame_announce(uint8_t buf[NEIGHBOUR_FRAME_MAX],
	const struct neighbour_speaker *from, const struct in6_addr *ip,
	enum neighbour_announcement form);

// The link-local address that EUI-64 makes of a MAC address.
struct in6_addr neighbour_link_local(const uint8_t mac[6]);
